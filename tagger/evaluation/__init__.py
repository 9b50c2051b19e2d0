"""Score predicted tags against gold tags and write reports. The only package that imports seqeval."""
