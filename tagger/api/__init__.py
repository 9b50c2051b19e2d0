"""The public Python interface beyond tagging: train, evaluate, compare."""
