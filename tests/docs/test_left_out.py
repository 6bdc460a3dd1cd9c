"""What `make test` says where a system program is missing."""

import os
import subprocess
import sys
from pathlib import Path

TEST = "tests/docs/test_readme.py::test_own_data_in_two_commands"


def run_without_programs(tmp_path: Path, **environment: str) -> str:
    plain = {name: value for name, value in os.environ.items() if name != "CI"}
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", TEST],
        env=plain | {"PATH": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.stdout


def test_the_rest_runs_and_the_end_says_how_to_add_it(tmp_path: Path) -> None:
    said = run_without_programs(tmp_path)
    assert "left out 1 tests: needs curl: apt-get install curl" in said
    assert "1 skipped" in said


def test_in_ci_nothing_is_left_out(tmp_path: Path) -> None:
    assert "1 failed" in run_without_programs(tmp_path, CI="true")
