"""Run a tagging job in several processes, or on a cluster."""
