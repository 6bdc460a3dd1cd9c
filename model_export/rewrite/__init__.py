"""From any ONNX model with GRU nodes to the two graphs that the service runs."""
