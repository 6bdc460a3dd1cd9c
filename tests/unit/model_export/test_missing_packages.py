"""`python -m model_export` where the extra `train` is not installed."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from model_export.command_line import main
from model_export.needed import NEEDED
from model_export.recipes.registry import RECIPES

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
MODULES = {"onnx-ir": "onnx_ir", "pytorch-ignite": "ignite", "scikit-learn": "sklearn"}
"""Where a package's name is not that of its module."""

WITHOUT = """
import runpy, sys

missing = sys.argv[1].split(",")

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""
RUN = """
sys.argv = ["model_export", *sys.argv[2:]]
runpy.run_module("model_export", run_name="__main__", alter_sys=True)
"""


HELP = """
from model_export.command_line import main

for command in sys.argv[2:]:
    main([*command.split(), "--help"], standalone_mode=False)
"""


def run_without(missing: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process that cannot import some modules."""
    return run_python(RUN, missing, *arguments)


def run_python(script: str, missing: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + script, missing, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("missing", [",".join(NEEDED), "torch"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "characters", "--data", "text.txt", "--name", "a"],
        ["demos"],
        ["verify", "."],
        ["quantize", "."],
    ],
    ids=" ".join,
)
def test_one_line_says_what_to_install(missing: str, arguments: list[str]) -> None:
    ended = run_without(missing, *arguments)
    assert ended.returncode == 1
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert f"({missing.replace(',', ', ')})" in line
    for way in ("pip install 'gatewise[train]'", "pip install -e '.[train]'", "make setup"):
        assert way in line


def test_every_help_works_without_any_of_them() -> None:
    commands = ["", *sorted(main.commands), *(f"train {task}" for task in RECIPES)]
    ended = run_python(HELP, ",".join(NEEDED), *commands)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("Usage: ") == len(commands)


def test_nothing_is_said_where_all_are_there() -> None:
    ended = run_without("", "--help")
    assert ended.returncode == 0, ended.stderr
    assert "Train GRU models" in ended.stdout


def test_what_is_needed_is_the_extra() -> None:
    extra = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["optional-dependencies"]["train"]
    packages = [re.split(r"[=<>~!\[]", requirement)[0] for requirement in extra]
    assert sorted(MODULES.get(package, package) for package in packages) == sorted(NEEDED)
