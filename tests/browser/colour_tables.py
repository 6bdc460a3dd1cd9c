"""The page's colour tables, made here a second time and in another way."""

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

CIVIDIS = mpl.colormaps["cividis"]
STOPS = {
    "light": ("0b3c78", "5b9bd5", "f4f4f1", "e08f5c", "8f2f0c"),
    "dark": ("a9d4ff", "2f6fb3", "14181f", "b5532a", "ffc49b"),
}


def expected_pixels(gate: str, values: list[list[float]], scheme: str) -> NDArray[np.uint8]:
    """The heat map of a gate's values [T, U]: red, green, blue and alpha, [U, T, 4]."""
    transposed = np.array(values, np.float64).T
    if gate in ("reset", "update"):
        pixels: NDArray[np.uint8] = CIVIDIS(transposed, bytes=True)
        return pixels
    entries = np.clip(np.floor(128 * (transposed + 1)), 0, 255)
    stops = np.array([list(bytes.fromhex(stop)) for stop in STOPS[scheme]])
    places = np.linspace(0, 255, len(stops))
    parts = [np.rint(np.interp(entries, places, stops[:, part])) for part in range(3)]
    return np.stack([*parts, np.full_like(entries, 255)], axis=-1).astype(np.uint8)
