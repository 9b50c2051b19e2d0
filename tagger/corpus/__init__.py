"""Text in: readers, tokenizers, tag schemes and splits, in plain Python."""
