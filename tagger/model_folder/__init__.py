"""The model folder: save, load and check what training leaves."""
