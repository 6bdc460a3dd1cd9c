"""Sequences with one label each."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model_export.data.labelled import Labelling, LabelRoles, load_labelled
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
KEEP = Repairs(short="keep")
LAST = Repairs(missing="last", short="keep")


def table(rows: list[str], header: str = "series,t,x,y,label") -> str:
    return header + "\n" + "".join(f"{row}\n" for row in rows)


def test_every_sequence_has_its_rows_and_its_label(write: WriteFile) -> None:
    read = load_labelled(write(table(ROWS)), roles=ROLES, repairs=LAST)
    labelling = read.labelling
    assert (read.inputs, labelling.names) == (("x", "y"), ("p", "q", "r"))
    assert (labelling.labels, labelling.targets.tolist()) == (("down", "up"), [1, 0, 1])
    expected = [[[5, 2], [3, 9], [6, 4]], [[4, 1], [8, np.nan]], [[7, 3]]]
    for sequence, values in zip(read.sequences, expected, strict=True):
        np.testing.assert_array_equal(sequence, np.array(values))
    assert [report.role for report in read.columns] == ["series", "time", "input", "input", "label"]


def test_sequences_of_one_or_two_rows_are_refused_or_left_out(write: WriteFile) -> None:
    long = [*ROWS, *(f"{name},{at},{at * at},{at % 2},down" for name in "st" for at in range(3))]
    path, seen = write(table(long)), list[tuple[str, ...]]()
    with pytest.raises(DataError) as refused:
        load_labelled(path, roles=ROLES)
    assert str(refused.value).endswith(
        "line 4, series 'q': the series has 2 rows, at least 3 are needed (2 of 5 series have "
        "fewer); --short drop leaves them out; --short keep takes them as they are"
    )

    def training(labelling: Labelling) -> NDArray[np.int64]:
        seen.append(labelling.names)
        return np.array([0, 2])

    read = load_labelled(path, None, ROLES, Repairs(short="drop"), training)
    assert seen == [("p", "s", "t")]
    assert (read.labelling.names, read.labelling.targets.tolist()) == (("p", "s", "t"), [1, 0, 0])
    assert [len(one) for one in read.sequences] == [3, 3, 3]
    assert "series of too few rows left out: 2" in read.notes


def test_inputs_can_be_chosen_and_labels_sort_by_value(write: WriteFile) -> None:
    rows = [row.replace("up", "10").replace("down", "9") for row in ROWS]
    roles = LabelRoles(time="t", inputs=("x",))
    read = load_labelled(write(table(rows)), roles=roles, repairs=KEEP)
    assert (read.inputs, read.labelling.labels) == (("x",), ("9", "10"))
    assert read.labelling.targets.tolist() == [1, 0, 1]


@pytest.mark.parametrize("other", ["10.0", "1e1"])
def test_numbers_of_one_value_are_one_label(write: WriteFile, other: str) -> None:
    rows = [row.replace("up", "10").replace("down", "9.5") for row in ROWS]
    rows[3] = rows[3].replace(",10", f",{other}")
    rows[5] = rows[5].replace(",10", f",{other}")
    labelling = load_labelled(write(table(rows)), roles=ROLES, repairs=LAST).labelling
    assert labelling.labels == ("9.5", "10")
    assert labelling.targets.tolist() == [1, 0, 1]


def test_what_may_be_another_label_is_refused(write: WriteFile) -> None:
    rows = [row.replace("up", "1").replace("down", "2") for row in ROWS]
    rows[5] = rows[5].replace(",1", ",01").replace("r,01", "r,1")
    with pytest.raises(DataError, match="line 7, column 'label': '01' is the same number as '1'"):
        load_labelled(write(table(rows)), roles=ROLES, repairs=LAST)


def test_truth_values_of_one_meaning_are_one_label(write: WriteFile) -> None:
    rows = [row.replace("up", "true").replace("down", "false") for row in ROWS]
    rows[5] = rows[5].replace("true", "TRUE")
    labelling = load_labelled(write(table(rows)), roles=ROLES, repairs=LAST).labelling
    assert labelling.labels == ("false", "true")


@pytest.mark.parametrize("up", ["10", "up"])
def test_a_missing_value_is_no_label_among_numbers_and_among_words(
    write: WriteFile, up: str
) -> None:
    rows = [row.replace("up", up).replace("down", "9") for row in ROWS]
    with pytest.raises(DataError, match="line 8, column 'label': 'NA' stands for a missing value"):
        load_labelled(write(table([*rows, "s,1,1,1,NA"])), roles=ROLES, repairs=LAST)


@pytest.mark.parametrize(("training", "missing"), [([0, 1], [0, 0, 8]), ([2], [8, 8, 0])])
def test_outliers_are_told_by_the_sequences_for_training(
    write: WriteFile, training: list[int], missing: list[int]
) -> None:
    rows = [f"{name},{at},{at % 5},{name}" for name in "pq" for at in range(8)]
    rows += [f"r,{at},{100 + at % 5},p" for at in range(8)]
    path, roles = write(table(rows, "series,t,x,label")), LabelRoles(time="t")
    repairs = Repairs(outliers="missing", missing="last")
    read = load_labelled(path, None, roles, repairs, lambda _: np.array(training))
    assert [int(np.isnan(one).sum()) for one in read.sequences] == missing
    assert f"outliers made missing: {sum(missing)}" in read.notes


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
        load_labelled(write(table(rows)), roles=ROLES, repairs=KEEP)
    assert message in str(refused.value)


@pytest.mark.parametrize("role", ["series", "label"])
def test_a_role_without_a_column_names_its_option(write: WriteFile, role: str) -> None:
    path = write(table(ROWS, "series,t,x,y,label".replace(role, "other")))
    with pytest.raises(DataError, match=f"no column '{role}'; --{role} names it, one of"):
        load_labelled(path, roles=ROLES)
