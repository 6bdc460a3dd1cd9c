"""What writes Keras files; it runs in an environment that has Keras."""

from pathlib import Path


def write_models_script() -> Path:
    """The script to be run by that environment's Python."""
    return Path(__file__).parent / "write_models.py"
