"""Running graphs in NumPy, in float64: what they say, without what float32 loses."""
