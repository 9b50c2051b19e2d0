"""The network: embeddings, packed bidirectional GRU, CRF or softmax, in PyTorch."""
