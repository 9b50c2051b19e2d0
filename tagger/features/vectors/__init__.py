"""Open, read and look up pretrained word vectors."""
