"""Pretrained word vectors: opened, read, looked up."""
