"""Output formats of a tagging job."""
