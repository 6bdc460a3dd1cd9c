"""The rows as text for people and as JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.tools.machine import Machine
from benchmarks.tools.row import Row

_HEAD = ("what", "figure", "target", "", "made of")
_MET = {True: "met", False: "NOT MET", None: "not measured"}
_SIGNS = {"at least": "≥", "at most": "≤"}


def text(rows: Sequence[Row]) -> str:
    """One line for each row, in columns."""
    lines = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    figure = "–" if row.value is None else with_unit(row.value, row.unit)
    target = f"{_SIGNS[row.sense]} {with_unit(row.target, row.unit)}"
    made_of = "; ".join(f"{name} {shown(value)}" for name, value in row.figures.items())
    return row.what, figure, target, _MET[row.met], made_of or row.note


def with_unit(value: float, unit: str) -> str:
    return shown(value) if unit == "×" else f"{shown(value)} {unit}"


def shown(value: float) -> str:
    """Three significant digits, no exponents."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def document(rows: Sequence[Row], machine: Machine) -> str:
    """The same with all rounds, as JSON."""
    content: dict[str, Any] = {
        "machine": machine.described(),
        "rows": [
            {
                "what": row.what,
                "value": row.value,
                "unit": row.unit,
                "rounds": list(row.values),
                "sense": row.sense,
                "target": row.target,
                "met": row.met,
                "figures": dict(row.figures),
                "note": row.note,
            }
            for row in rows
        ],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def write(rows: Sequence[Row], machine: Machine, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(document(rows, machine), "utf-8")
