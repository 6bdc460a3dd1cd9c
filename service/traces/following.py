"""Which units follow what is known of the inputs."""

from collections.abc import Mapping, Sequence

import numpy as np

from service.analysis.following import Following as Found
from service.analysis.following import Ranked, Search
from service.analysis.markings import Marking, markings_of
from service.errors import InvalidInput
from service.operations.traces import Findings, Following
from service.records import record
from service.traces.asking import Working
from service.traces.run import Run

GIVEN = "given"
"""What a marking is called that came with a request."""


@record
class Followed:
    """Of `steps` steps, the units as they are counted through all layers."""

    steps: int
    found: Sequence[Found]


def findings(run: Run, _: Findings) -> Working[Followed]:
    """For every marking that the inputs have the unit that follows it best, if any does."""
    key = run.key
    kept = run.kept.findings.find(key)
    if kept is None:
        search = yield from _search(run, markings_of(run.manifest.input, run.inputs))
        kept = Followed(len(run.inputs), search.following())
        run.kept.findings.keep(key, kept, 1)
    return kept


def following(run: Run, asked: Following) -> Working[Sequence[Ranked]]:
    """The units that follow one marking best. Raises InvalidInput."""
    name, marking = _marking(run, asked.marking)
    search = yield from _search(run, {name: marking})
    return search.ranked(name, asked.count)[: asked.count]


def _search(run: Run, markings: Mapping[str, Marking]) -> Working[Search]:
    names = run.manifest.shown_names
    widths = dict.fromkeys(names, run.manifest.gate_size)
    search = Search(len(run.inputs), widths, list(markings))
    for one in run.slices():
        rows = slice(one.begin - run.begin, one.end - run.begin)
        tensors = {name: one.looked.tensors[name] for name in names}
        search.add(tensors, {name: marking[rows] for name, marking in markings.items()})
        yield
    return search


def _marking(run: Run, asked: str | Sequence[float]) -> tuple[str, Marking]:
    if isinstance(asked, str):
        known = markings_of(run.manifest.input, run.inputs)
        if asked not in known:
            there = ", ".join(known) or "none; send a number for each step"
            raise InvalidInput.at(("marking",), f"there is no marking {asked!r}: {there}")
        return asked, known[asked]
    if len(asked) != len(run.inputs):
        raise InvalidInput.at(
            ("marking",), f"{len(asked)} numbers for {len(run.inputs)} steps; send one for each"
        )
    return GIVEN, np.array(asked, np.float64)
