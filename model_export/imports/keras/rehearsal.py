"""Reading an HDF5 file once in a process of its own, before it is read here.

On some damaged files the HDF5 library runs for ever or ends the process. Neither can be caught, and
neither gives way to Ctrl-C.
"""

import subprocess
import sys
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import h5py

SECONDS = 20.0
BYTES_PER_SECOND = 10 << 20
LARGEST_ARRAY = 1 << 30


def survives(content: bytes) -> bool:
    """Whether another process comes to an end with the file, be it with an error.

    The time it is given grows with the size of the file.
    """
    command = [sys.executable, "-P", str(Path(__file__))]
    seconds = SECONDS + len(content) / BYTES_PER_SECOND
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode >= 0  # it is negative where a signal ended the process


def _main() -> None:
    with h5py.File(BytesIO(sys.stdin.buffer.read()), "r") as root:
        _read(root)
        root.visititems(lambda _, item: _read(item))


def _read(item: h5py.Group | h5py.Dataset) -> None:
    """Goes on after an error, which is reported by the process that needs what cannot be read."""
    names: list[str] = []
    with suppress(Exception):
        names = list(item.attrs)
    for name in names:
        with suppress(Exception):
            item.attrs[name]
    with suppress(Exception):
        if isinstance(item, h5py.Dataset) and item.nbytes <= LARGEST_ARRAY:
            item[()]


if __name__ == "__main__":
    _main()
