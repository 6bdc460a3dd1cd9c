"""Operators in NumPy, for running graphs in float64 where the onnx package lacks or errs."""
