"""The network: embeddings, packed bidirectional recurrence, CRF or softmax, in PyTorch."""
