"""A tenth of the files that `make variety` takes through the importer."""

from pathlib import Path

import pytest

from tests.variety.onnx_models.case import Case
from tests.variety.onnx_models.catalogue import tenth
from tests.variety.onnx_models.check import check

CASES = tenth()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_steps_equal_the_file_or_it_is_refused_by_name(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
