"""What is fixed about the rows without measuring one."""

from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import rows
from benchmarks.__main__ import ROWS

ROOT = Path(__file__).parents[3]
MODULES = {path.stem for path in Path(rows.__file__).parent.glob("*.py")} - {"__init__"}


def test_every_row_is_measured() -> None:
    assert sorted(ROWS) == sorted(MODULES)


@pytest.mark.parametrize("name", ROWS)
def test_a_module_of_rows_measures(name: str) -> None:
    assert callable(import_module(f"benchmarks.rows.{name}").rows)


@pytest.mark.parametrize("name", ROWS)
def test_the_documentation_says_how_a_row_is_measured(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs" / "performance.md").read_text("utf-8")
