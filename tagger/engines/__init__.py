"""Run a model's network: words in, emissions out. NumPy, PyTorch or ONNX Runtime."""
