"""Real disks of a size that a test can fill."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system_programs import leave_out

_BLOCK = 4096


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A new file system in memory, mounted on a folder of its own; `size` as `mount` takes it.

    Where mounting is not permitted the test is skipped, but never in CI.
    """
    disk = folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        leave_out(
            f"the right to mount a file system: run the tests as root ({mounted.stderr.strip()})"
        )
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path, *, leaving_blocks: int = 0) -> Path:
    """Take all room of a disk but some blocks of 4 kB; the file to remove to get it back."""
    ballast = disk / "ballast"
    blocks = os.statvfs(disk).f_bavail - leaving_blocks
    with ballast.open("wb") as file:
        for _ in range(blocks):
            file.write(b"x" * _BLOCK)
    assert os.statvfs(disk).f_bavail == leaving_blocks
    return ballast
