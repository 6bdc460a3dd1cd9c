"""Drawing from hypothesis in fewer words."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

One = TypeVar("One")


class Choices:
    """What one example is made of; hypothesis shrinks every choice to its first."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def of(self, some: Sequence[One]) -> One:
        chosen: One = self._draw(st.sampled_from(some))
        return chosen

    def number(self, least: int, most: int) -> int:
        chosen: int = self._draw(st.integers(least, most))
        return chosen

    def chance(self, percent: int) -> bool:
        return self.number(0, 99) >= 100 - percent

    def floats(self, *shape: int, scale: float = 1.0) -> NDArray[np.float32]:
        """Random numbers from −scale to scale."""
        random = np.random.default_rng(self.number(0, 2**16))
        return random.uniform(-scale, scale, shape).astype(np.float32)
