"""Inner loops as machine code. Without it everything works, more slowly."""
