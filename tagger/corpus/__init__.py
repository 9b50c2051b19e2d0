"""Read text: readers, tokenizers, tag schemes and splits, in plain Python."""
