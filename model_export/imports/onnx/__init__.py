"""ONNX files with GRU nodes."""
