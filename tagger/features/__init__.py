"""Words to integers: vocabularies, features per distinct word, encoded corpora and batches, in NumPy."""
