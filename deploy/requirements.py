"""`python requirements.py [EXTRA]`: the pinned requirements of pyproject.toml, one a line.

An image installs these before it copies any source, so that a change of the source installs
nothing anew.
"""

import sys
import tomllib
from pathlib import Path


def requirements(pyproject: Path, extras: list[str]) -> list[str]:
    """What the service needs, and what the extras need on top."""
    project = tomllib.loads(pyproject.read_text("utf-8"))["project"]
    wanted: list[str] = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    return wanted


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements(Path("pyproject.toml"), sys.argv[1:])) + "\n")
