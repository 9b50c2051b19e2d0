"""Run Hydra so that a user's mistake is one line."""
