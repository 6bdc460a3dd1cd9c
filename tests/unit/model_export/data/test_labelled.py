"""Sequences with one label each."""

import numpy as np
import pytest

from model_export.data.labelled import LabelRoles, load_labelled
from model_export.data.repairs import Repairs
from model_export.errors import DataError
from tests.unit.model_export.data.conftest import WriteFile

ROWS = [
    "p,1,5,2,up",
    "p,2,3,9,up",
    "q,1,4,1,down",
    "p,3,6,4,up",
    "q,2,8,,down",
    "r,1,7,3,up",
]
ROLES = LabelRoles(time="t")
LAST = Repairs(missing="last")


def table(rows: list[str], header: str = "series,t,x,y,label") -> str:
    return header + "\n" + "".join(f"{row}\n" for row in rows)


def test_every_sequence_has_its_rows_and_its_label(write: WriteFile) -> None:
    read = load_labelled(write(table(ROWS)), roles=ROLES, repairs=LAST)
    assert (read.inputs, read.labels, read.names) == (("x", "y"), ("down", "up"), ("p", "q", "r"))
    assert read.targets.tolist() == [1, 0, 1]
    expected = [[[5, 2], [3, 9], [6, 4]], [[4, 1], [8, np.nan]], [[7, 3]]]
    for sequence, values in zip(read.sequences, expected, strict=True):
        np.testing.assert_array_equal(sequence, np.array(values))
    assert [report.role for report in read.columns] == ["series", "time", "input", "input", "label"]


def test_inputs_can_be_chosen_and_labels_sort_by_value(write: WriteFile) -> None:
    rows = [row.replace("up", "10").replace("down", "9") for row in ROWS]
    roles = LabelRoles(time="t", inputs=("x",))
    read = load_labelled(write(table(rows)), roles=roles)
    assert (read.inputs, read.labels) == (("x",), ("9", "10"))
    assert read.targets.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS, "q,3,1,1,up"],
         "line 8, column 'label': 'up', and series 'q' is 'down' in line 4; a sequence has one"),
        ([*ROWS, "s,1,1,1,"], "line 8, column 'label': no label"),
        ([row.replace("down", "up") for row in ROWS], "all sequences are 'up'; two labels"),
        (ROWS, "line 6, series 'q', column 'y': missing value (1 in all); --missing last"),
        ([*ROWS, "r,0,1,1,up"], "line 8, series 'r': 0 comes after 1"),
        ([*ROWS, "r,1,1,1,up"], "line 8, series 'r': 1 again, as in line 7"),
        (["p,1,a,b,up", "q,1,a,b,down"], "has no column of numbers to classify by"),
        (["p,1,3,x,up", "p,2,3,4,up", "q,1,2,2,down"], "or choose columns with --inputs"),
    ],
)  # fmt: skip
def test_faults_are_refused_by_line(write: WriteFile, rows: list[str], message: str) -> None:
    with pytest.raises(DataError) as refused:
        load_labelled(write(table(rows)), roles=ROLES)
    assert message in str(refused.value)


@pytest.mark.parametrize("role", ["series", "label"])
def test_a_role_without_a_column_names_its_option(write: WriteFile, role: str) -> None:
    path = write(table(ROWS, "series,t,x,y,label".replace(role, "other")))
    with pytest.raises(DataError, match=f"no column '{role}'; --{role} names it, one of"):
        load_labelled(path, roles=ROLES)
