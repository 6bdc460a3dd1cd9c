"""Which units follow what is known of the inputs."""

from collections.abc import Mapping, Sequence

import numpy as np

from service.analysis.following import Following as Found
from service.analysis.following import Search
from service.analysis.markings import Marking, is_remembered, markings_of
from service.errors import InvalidInput
from service.operations.traces import Findings, Following
from service.records import record
from service.traces.asking import Working
from service.traces.run import Run

GIVEN = "given"
"""What a marking is called that came with a request."""


@record
class Finding:
    """A unit of a layer whose `tensor` follows a marking: Pearson's correlation on the first half
    of the steps, on the second, and on all of them where somebody asked for that. `remembered`
    where the marking cannot be seen in the input of the step alone; None of a caller's own."""

    marking: str
    tensor: str
    layer: int
    unit: int
    found: float
    confirmed: float
    remembered: bool | None
    overall: float | None = None


@record
class Followed:
    """Findings of `steps` steps."""

    steps: int
    findings: Sequence[Finding]


def findings(run: Run, _: Findings) -> Working[Followed]:
    """For every marking that the inputs have the unit that follows it best, if any does."""
    key = run.key
    kept = run.kept.findings.find(key)
    if kept is None:
        search = yield from _search(run, markings_of(run.manifest.input, run.inputs))
        found = [_finding(run, one) for one in search.following()]
        kept = Followed(len(run.inputs), found)
        run.kept.findings.keep(key, kept, 1)
    return kept


def following(run: Run, asked: Following) -> Working[Sequence[Finding]]:
    """The units that follow one marking best. Raises InvalidInput."""
    name, marking = _marking(run, asked.marking)
    search = yield from _search(run, {name: marking})
    ranked = search.ranked(name, asked.count)[: asked.count]
    return [_finding(run, one, one.overall) for one in ranked]


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


def _finding(run: Run, found: Found, overall: float | None = None) -> Finding:
    """With the unit as its layer counts it."""
    layers = run.layers
    index = next(at for at, layer in enumerate(layers) if found.unit < layer.span.stop)
    return Finding(
        found.marking,
        found.tensor,
        index,
        found.unit - layers[index].offset,
        found.found,
        found.confirmed,
        None if found.marking == GIVEN else is_remembered(run.manifest.input, found.marking),
        overall,
    )
