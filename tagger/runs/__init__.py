"""Finished training runs: their records, summed up and compared."""
