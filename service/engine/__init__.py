"""Running a bundle's two graphs with ONNX Runtime. Knows nothing above it."""
