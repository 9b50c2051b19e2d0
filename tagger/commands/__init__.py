"""The entry points behind train.py, evaluate.py and tag.py: settings in, a plain function called, exit code out."""
