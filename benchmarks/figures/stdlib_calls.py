"""A log of events that every machine with Python has: the calls in its standard library.

    python -m benchmarks.figures.stdlib_calls calls.csv [--folder FOLDER]

A session is a function, an item is the name that it calls, in the order of the source. Files come
in the order of a hash of their path, so that the last sessions, which `train events` holds out, are
functions from all over the library, in files that training never saw.
"""

import argparse
import ast
import csv
import hashlib
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_NOT_THE_LIBRARY = {"__pycache__", "idle_test", "site-packages", "test", "tests"}
"""Folders of packages that others installed, and of tests, which repeat one another."""

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Scope = _Function | ast.ClassDef


class Event(NamedTuple):
    """One call: in which function, as PATH:NAME.NAME, the how manyth of all, and of what name."""

    session: str
    time: int
    item: str


def events_of(folder: Path) -> Iterator[Event]:
    """The calls of every function below a folder, in the order of the log.

    What cannot be parsed as Python is left out.
    """
    time = 0
    for path in _ordered(folder):
        for session, item in _calls_in(folder / path, path):
            yield Event(session, time, item)
            time += 1


def write_calls(folder: Path, file: Path) -> int:
    """Writes session, time and item as CSV, and returns how many events there are."""
    events = list(events_of(folder))
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(Event._fields)
        writer.writerows(events)
    return len(events)


def _ordered(folder: Path) -> list[str]:
    paths = [path.relative_to(folder) for path in folder.rglob("*.py")]
    names = [path.as_posix() for path in paths if not _NOT_THE_LIBRARY & set(path.parts)]
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def _calls_in(file: Path, path: str) -> Iterator[tuple[str, str]]:
    with warnings.catch_warnings():
        # Old escapes in strings of the library are no concern of whoever reads it.
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(file.read_bytes(), file.name)
        except (SyntaxError, ValueError):
            return
    for name, function in _functions(tree):
        # One file may define a function twice, under an `if` for example.
        session = f"{path}:{name}:{function.lineno}"
        for item in _called(function):
            yield session, item


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, _Function]]:
    """Every function with its qualified name, in the order of the source."""
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, _Scope):
            yield from _functions(child, prefix)
            continue
        if isinstance(child, _Function):
            yield prefix + child.name, child
        yield from _functions(child, f"{prefix}{child.name}.")


def _called(function: _Function) -> list[str]:
    """What the body calls, functions and classes inside it left out, by the place of the name."""
    calls = [call for part in function.body for call in _calls(part)]
    found = [(_place(call), name) for call in calls if (name := _name(call.func)) is not None]
    return [name for _, name in sorted(found)]


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    if isinstance(node, _Scope):
        return
    if isinstance(node, ast.Call):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)


def _place(call: ast.Call) -> tuple[int, int]:
    """Where the called name ends: in `a.b().c()` the two calls begin at the same place."""
    return call.func.end_lineno or 0, call.func.end_col_offset or 0


def _name(function: ast.expr) -> str | None:
    """`f` of `f()`, and of `x.y.f()`; what is called by no name has none."""
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures.stdlib_calls")
    parser.add_argument("file", type=Path, help="the CSV file to write")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(sysconfig.get_path("stdlib")),
        help="of Python files [default: this Python's standard library]",
    )
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        sys.exit(f"{arguments.folder} is not a folder")
    print(f"{write_calls(arguments.folder, arguments.file):,} calls in {arguments.file}")


if __name__ == "__main__":
    main()
