"""Gold and predicted tags → scores → reports. The one package that knows seqeval."""
