"""Learn from raw text: language models of the tagger's own shape."""
