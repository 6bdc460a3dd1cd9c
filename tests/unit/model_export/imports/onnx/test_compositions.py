"""Any composition of operators around GRU nodes: a session answers as the file, or it is refused.

`tests/variety/test_compositions.py` tries many more.
"""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings

from tests.variety.compositions.agreement import outcome_of
from tests.variety.compositions.composition import Composition, compositions

SMALLEST_SHARE = 1 / 6
"""Of the models that are served: a strategy that makes none shows nothing. About half of them are,
but few examples may be alike; which ones there are changes with any line of the product, whose
constants they are drawn from."""


def test_a_session_answers_as_the_file_or_it_is_refused_by_name() -> None:
    counted: Counter[str] = Counter()

    @settings(
        max_examples=80,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(compositions())
    def holds(composition: Composition) -> None:
        with TemporaryDirectory() as folder:
            counted[outcome_of(composition, Path(folder))] += 1

    holds()
    served = counted["sessions"] + counted["window"] + counted["whole"]
    assert served >= SMALLEST_SHARE * counted.total(), counted
    assert counted["sessions"] >= SMALLEST_SHARE / 3 * counted.total(), counted
