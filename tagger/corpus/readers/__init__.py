"""Read the supported file formats, one module per format."""
