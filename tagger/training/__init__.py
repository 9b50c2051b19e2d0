"""Training: Lightning module, data module, callbacks and the run itself."""
