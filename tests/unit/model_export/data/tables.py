"""Small tables in files, and what is read of them."""

from datetime import date, timedelta

import numpy as np
import pytest

from model_export.data.frame import ReadOptions
from model_export.data.series import (
    Repairs,
    SeriesRoles,
    Table,
    load_series,
)
from model_export.errors import DataError

NAN = np.nan


DAYS = [str(date(2020, 1, 1) + timedelta(days=day)) for day in range(60)]


def rows(*cells: object, header: str = "time,a") -> str:
    return header + "\n" + "".join(f"{cell}\n" for cell in cells)


def daily(*values: object, header: str = "time,a") -> str:
    """One row a day."""
    cells = [f"{day},{value}" for day, value in zip(DAYS, values, strict=False)]
    return rows(*cells, header=header)


def only(table: Table) -> list[list[float]]:
    [series] = table.series
    values: list[list[float]] = series.values.tolist()
    return values


def why(table: Table, name: str) -> str:
    [report] = [report for report in table.columns if report.name == name]
    return f"{report.role}: {report.done}: {report.why}"


def refused(path: str, roles: SeriesRoles | None = None, repairs: Repairs | None = None) -> str:
    with pytest.raises(DataError) as error:
        load_series(path, ReadOptions(), roles, repairs)
    assert "\n" not in str(error.value)
    return str(error.value)
