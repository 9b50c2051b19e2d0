"""A look inside a model: gates, memory, and what a decision rests on."""
