"""Tag files into files: any number of inputs, resumable. Knows a model only as a `SentenceTagger`."""
