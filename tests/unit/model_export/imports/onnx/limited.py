"""`import-onnx` in a process of its own, whose time and memory are bounded.

Run as a script it imports everything once, and forks for every file that a line on its standard
input names; so one import costs no more than itself.
"""

import json
import os
import resource
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_export.command_line import main
from model_export.imports import importing
from model_export.imports.onnx import file, reference

IMPORTED_ONCE = (importing, file, reference)
"""What the command imports when it runs."""
SECONDS = 20
BYTES = 2 * 2**30
"""Beyond what the process has before it reads the file."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`errors` is what it wrote to standard error; `seconds` are those of the processor."""

    status: int
    errors: str
    seconds: float


class LimitedImports:
    """Asks the script; one file at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, file: Path) -> tuple[Outcome, Path]:
        """What became of importing a file, and the repository that it was to be imported into."""
        self._asked += 1
        folder = self._folder / str(self._asked)
        folder.mkdir()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(file), str(folder)]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Outcome(**answer), folder / "models"


def _serve() -> None:
    for line in sys.stdin:
        name, folder = json.loads(line)
        arguments = ["import-onnx", name, "--name", "hostile", "--json"]
        arguments += ["--repository", str(Path(folder) / "models")]
        sys.stdout.write(json.dumps(_forked(arguments, Path(folder))) + "\n")
        sys.stdout.flush()


def _forked(arguments: list[str], folder: Path) -> dict[str, Any]:
    begun = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = os.fork()
    if child == 0:
        _limit()
        with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            try:
                main(arguments)
            except SystemExit as ended_with:
                sys.stdout.flush()
                sys.stderr.flush()
                # Without the end of an interpreter, which would wait for threads that are not here.
                os._exit(int(ended_with.code or 0))
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
            os._exit(70)
    _, status = os.waitpid(child, 0)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "status": os.waitstatus_to_exitcode(status),
        "errors": (folder / "err").read_text(errors="replace"),
        "seconds": ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime,
    }


def _limit() -> None:
    """An allocation too many is a MemoryError, and too much time a signal."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


if __name__ == "__main__":
    _serve()
