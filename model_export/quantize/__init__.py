"""Publishing a version of a model whose large weights are rounded to 8 bits."""
