"""Answers as JSON, straight from NumPy."""

import orjson


def to_json(answer: object) -> bytes:
    """Arrays are written directly: float32 with the shortest digits that read back the same."""
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
