"""`--sample`: inputs that a model knows, from a file."""

from pathlib import Path

import numpy as np
import pytest

from model_export.errors import ModelRefused
from model_export.imports.sample import read_sample


def test_columns_from_csv_and_npy(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2.5\n3,-4e3\n")
    np.save(tmp_path / "x.npy", np.array([[1, 2.5], [3, -4e3]]))
    for name in ("x.csv", "x.npy"):
        found = read_sample(tmp_path / name)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, [[1, 2.5], [3, -4000]])


def test_tokens_from_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([3, 0, 2], np.uint16))
    found = read_sample(tmp_path / "x.npy")
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, [3, 0, 2])


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("x.npy", b"", "x.npy: No data left in file"),
        ("x.npy", b"PK\x05\x06" + bytes(18), "expected one array of numbers"),
        ("x.npy", b"text", "x.npy: "),
        ("x.csv", b"a,b\n1,2\n3\n", "x.csv: "),
        ("x.csv", b"a,b\n1,\n", "x.csv: "),
        ("x.csv", b"a\nnan\n", "finite numbers"),
        ("x.csv", b"a\n1e39\n", "fit float32"),
    ],
)
def test_a_file_that_is_none(name: str, content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelRefused) as refused:
        read_sample(tmp_path / name)
    assert expected in str(refused.value)
