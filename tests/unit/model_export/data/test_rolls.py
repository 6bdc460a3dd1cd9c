"""Piano rolls in the two forms they come in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from model_export.data.rolls import Rolls, load_rolls
from model_export.errors import DataError

Parts = dict[str, list[NDArray[Any]]]


def random_parts(width: int) -> Parts:
    rng = np.random.default_rng(0)
    return {
        part: [rng.integers(0, 2, (int(rng.integers(1, 6)), width)) for _ in range(count)]
        for part, count in (("train", 4), ("valid", 2), ("test", 3))
    }


def to_mat(path: Path, parts: Parts) -> str:
    cells = {}
    for part, rolls in parts.items():
        cells[f"{part}data"] = np.empty((1, len(rolls)), object)
        for at, roll in enumerate(rolls):
            cells[f"{part}data"][0, at] = roll.astype(np.uint8)
    savemat(path, cells)
    return str(path)


def to_npz(path: Path, parts: Parts) -> str:
    arrays: dict[str, Any] = {part: np.concatenate(rolls) for part, rolls in parts.items()}
    arrays |= {f"{part}_lengths": [len(roll) for roll in rolls] for part, rolls in parts.items()}
    np.savez(path, **arrays)
    return str(path)


WRITERS = {".mat": to_mat, ".npz": to_npz}


def write(folder: Path, suffix: str, parts: Parts) -> str:
    return WRITERS[suffix](folder / f"rolls{suffix}", parts)


def parts_of(rolls: Rolls) -> Parts:
    return {"train": [*rolls.train], "valid": [*rolls.validation], "test": [*rolls.test]}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("width", [88, 5])
def test_all_sequences_come_back(tmp_path: Path, suffix: str, width: int) -> None:
    parts = random_parts(width)
    read = load_rolls(write(tmp_path, suffix, parts))
    for part, rolls in parts_of(read).items():
        assert [roll.dtype for roll in rolls] == [np.float32] * len(parts[part])
        for roll, expected in zip(rolls, parts[part], strict=True):
            np.testing.assert_array_equal(roll, expected)
    assert len(read.names) == width


def test_88_labels_are_the_keys_of_a_piano(tmp_path: Path) -> None:
    names = load_rolls(write(tmp_path, ".npz", random_parts(88))).names
    assert (names[0], names[3], names[39], names[48], names[87]) == ("A0", "C1", "C4", "A4", "C8")
    others = load_rolls(write(tmp_path, ".npz", random_parts(3))).names
    assert others == ("label 0", "label 1", "label 2")


@pytest.mark.parametrize("suffix", WRITERS)
def test_other_values_than_0_and_1_are_refused_by_place(tmp_path: Path, suffix: str) -> None:
    parts = random_parts(88)
    parts["valid"][1][0, 3] = 2
    with pytest.raises(DataError, match=r"valid\[1\], step 0, C1: 2 is neither 0 nor 1"):
        load_rolls(write(tmp_path, suffix, parts))


def test_nan_is_refused(tmp_path: Path) -> None:
    parts: Parts = {part: [np.full((2, 3), np.nan)] for part in ("train", "valid", "test")}
    with pytest.raises(DataError, match="nan is neither 0 nor 1"):
        load_rolls(write(tmp_path, ".npz", parts))


def test_sequences_of_another_width_are_refused(tmp_path: Path) -> None:
    parts = random_parts(4)
    parts["test"][2] = np.zeros((3, 5), int)
    with pytest.raises(DataError, match=r"test\[2\]: \[T, 4\] is needed, with T > 0, not \[3, 5\]"):
        load_rolls(write(tmp_path, ".mat", parts))


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".mat", b"nothing", "cannot be read as a MATLAB file"),
        (".mat", b"", "cannot be read as a MATLAB file"),
        (".npz", b"nothing", "cannot be read as .npz"),
        (".npz", b"PK\x03\x04 nothing", "cannot be read as .npz"),
        (".npz", b"", "cannot be read as .npz"),
        (".csv", b"a,b", "rolls are read from .mat or .npz files, not '.csv'"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, suffix: str, content: bytes, message: str) -> None:
    path = tmp_path / f"rolls{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_rolls(str(path))


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "rolls.npz")
    roll = np.zeros((3, 2))
    np.savez(path, train=roll, train_lengths=[1, 1])
    with pytest.raises(DataError, match="add up to N; they are"):
        load_rolls(path)
    np.savez(path, train=roll, train_lengths=[1, 2])
    with pytest.raises(DataError, match="no array 'valid'; there are train, train_lengths"):
        load_rolls(path)
    np.savez(path, train=np.array([{}], object))
    with pytest.raises(DataError, match=r"cannot be read as \.npz"):
        load_rolls(path)


def test_variables_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rolls.mat"
    savemat(path, {"traindata": np.zeros((3, 2))})
    with pytest.raises(DataError, match="'traindata' is no cell array"):
        load_rolls(str(path))
    savemat(path, {"other": np.zeros((3, 2))})
    with pytest.raises(DataError, match="no variable 'traindata'; there are other"):
        load_rolls(str(path))
