"""Examples in Markdown: ```console blocks of `$ command` lines and what they print."""

import json
import math
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.system_programs import required

ELIDED = "…"
"""In a shown answer: a value that is too long to show, or the rest of a list."""

TOLERANCE = 0.1
"""Of an output or the mean of a gate: models are trained anew on every machine."""


@dataclass(frozen=True, slots=True)
class Example:
    """A command, continuation lines joined, and the text printed below it."""

    command: str
    shown: str


def examples_of(document: Path, section: str = "") -> list[Example]:
    """Every example of a document in order, or those below a heading, up to the next one."""
    found: list[Example] = []
    for block in blocks_of(_below(section, document.read_text("utf-8")), "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            length = 1 + _continued(lines)
            command = "\n".join(lines[:length])
            found.append(Example(command, "\n".join(lines[length:]).strip()))
    return found


def blocks_of(text: str, language: str) -> list[str]:
    """What stands in the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _below(heading: str, text: str) -> str:
    if not heading:
        return text
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"no heading {heading}"
    return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def _continued(lines: list[str]) -> int:
    """How many of the leading lines end in a backslash."""
    return next((count for count, line in enumerate(lines) if not line.endswith("\\")), len(lines))


def run(
    command: str,
    url: str,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 60,
) -> str:
    """Run a command as printed, but against `url`; returns what it prints."""
    required("curl")
    printed = command.replace("http://localhost:8000", url).replace("localhost:8000", url)
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", printed],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert finished.returncode == 0, f"{command}\n{finished.stderr}"
    return finished.stdout.strip()


def check(example: Example, printed: str, *, tolerance: float = TOLERANCE) -> None:
    """What was printed is what is shown, where anything is."""
    if example.shown:
        agree = matches(as_json(example.shown), as_json(printed), tolerance=tolerance)
        assert agree, f"{example.command}\nprints\n{printed}"


def matches(shown: object, real: object, *, tolerance: float) -> bool:
    """Whether an answer is the one shown: the same keys, texts and integers, numbers nearly so.

    `tolerance` is absolute; models are trained anew on every machine, so digits differ.
    """
    if shown == ELIDED:
        return True
    if isinstance(shown, dict) and isinstance(real, dict):
        return shown.keys() == real.keys() and all(
            matches(shown[key], real[key], tolerance=tolerance) for key in shown
        )
    if isinstance(shown, list) and isinstance(real, list):
        if shown and shown[-1] == ELIDED:
            shown, real = shown[:-1], real[: len(shown) - 1]
        elif shown and shown[0] == ELIDED:
            shown = shown[1:]
            real = real[-len(shown) :]
        return len(shown) == len(real) and all(
            matches(one, other, tolerance=tolerance) for one, other in zip(shown, real, strict=True)
        )
    if isinstance(shown, float) and isinstance(real, float):
        return math.isclose(shown, real, rel_tol=0, abs_tol=tolerance)
    return bool(shown == real)


def as_json(text: str) -> object:
    """The text as JSON, bare `…` standing for elided values."""
    parsed: object = json.loads(re.sub(r'(?<!")…(?!")', '"…"', text))
    return parsed
