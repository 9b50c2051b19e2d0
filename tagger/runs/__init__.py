"""Training runs: finished, recorded, summarised and compared."""
