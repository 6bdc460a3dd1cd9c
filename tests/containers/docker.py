"""The `docker` program."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DEADLINE_SECONDS = 600.0


class DockerError(Exception):
    """A command that ended with an error, and what it said."""


def is_running() -> bool:
    """Whether there is a Docker that this process may use."""
    return shutil.which("docker") is not None and run("docker", "info").returncode == 0


def docker(
    *words: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """What the command prints. Raises DockerError."""
    return program("docker", *words, folder=folder, environment=environment)


def program(
    *words: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """What a program that uses Docker prints. Raises DockerError."""
    finished = run(*words, folder=folder, environment=environment)
    if finished.returncode != 0:
        raise DockerError(f"{' '.join(words)}\n{finished.stdout}{finished.stderr}")
    return finished.stdout.strip()


def inspect(name: str) -> dict[str, Any]:
    """What Docker knows of a container or an image. Raises DockerError."""
    found: list[dict[str, Any]] = json.loads(docker("inspect", name))
    return found[0]


def run(
    *words: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The program, when it has ended."""
    return subprocess.run(
        words,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
