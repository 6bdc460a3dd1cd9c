"""Random compositions of ONNX operators around GRU nodes, and what a session of one must answer."""
