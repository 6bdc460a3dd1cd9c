"""Every file of the catalogue through the importer: `make variety`."""

from pathlib import Path

import pytest

from tests.variety.onnx_models.case import Case
from tests.variety.onnx_models.catalogue import catalogue
from tests.variety.onnx_models.check import check

FEWEST_FILES, FEWEST_MODELS = 150, 70
CASES = catalogue()


def test_the_catalogue_is_as_large_as_it_should_be() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= FEWEST_FILES
    assert len({name.rpartition(",")[0] for name in names}) >= FEWEST_MODELS


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_steps_equal_the_file_or_it_is_refused_by_name(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)
