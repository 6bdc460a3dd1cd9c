"""Keras files, read without Keras: file → layers → network → ONNX, and a reading in float64."""

from model_export.imports.keras.read import read_keras

__all__ = ["read_keras"]
