"""How fields of a layer are read where a recorded file does not show it."""

import pytest

from model_export.imports.keras import readers
from model_export.imports.keras.settings import Settings


@pytest.mark.parametrize(
    ("padding", "zeros"), [("valid", (0, 0)), ("causal", (3, 0)), ("same", (1, 2))]
)
def test_an_even_kernel_looks_further_ahead_than_back(padding: str, zeros: tuple[int, int]) -> None:
    """As TensorFlow pads: the odd zero goes to the end."""
    assert readers._padding(Settings({"padding": padding}), 3) == zeros
