"""Very many compositions of operators around GRU nodes, other ones every time.

`GATEWISE_COMPOSITIONS` says how many; a failure prints the seed that repeats it.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.variety.compositions.agreement import outcome_of
from tests.variety.compositions.composition import Composition, compositions

COUNT = int(os.environ.get("GATEWISE_COMPOSITIONS", "500"))
SECONDS_EACH = 3


@pytest.mark.timeout(60 + SECONDS_EACH * COUNT)
@settings(
    max_examples=COUNT,
    database=None,
    print_blob=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(compositions())
def test_a_session_answers_as_the_file_or_it_is_refused_by_name(composition: Composition) -> None:
    with TemporaryDirectory() as folder:
        outcome_of(composition, Path(folder))
