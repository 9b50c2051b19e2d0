"""Train, evaluate and compare from Python."""
