"""Which units follow what is known of the inputs."""

from collections.abc import Mapping, Sequence

import numpy as np

from service.analysis.following import Following as Found
from service.analysis.following import Search
from service.analysis.markings import Marking, markings_of
from service.bundle.manifest import Layer
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
    of the steps, on the second, and on all of them where somebody asked for that."""

    marking: str
    tensor: str
    layer: int
    unit: int
    found: float
    confirmed: float
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
        found = [_finding(one, run.layers) for one in search.following()]
        kept = Followed(len(run.inputs), found)
        run.kept.findings.keep(key, kept, 1)
    return kept


def following(run: Run, asked: Following) -> Working[Sequence[Finding]]:
    """The units that follow one marking best. Raises InvalidInput."""
    name, marking = _marking(run, asked.marking)
    search = yield from _search(run, {name: marking})
    ranked = search.ranked(name, asked.count)[: asked.count]
    return [_finding(one, run.layers, one.overall) for one in ranked]


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


def _finding(found: Found, layers: Sequence[Layer], overall: float | None = None) -> Finding:
    """With the unit as its layer counts it."""
    index = next(at for at, layer in enumerate(layers) if found.unit < layer.span.stop)
    unit = found.unit - layers[index].offset
    return Finding(found.marking, found.tensor, index, unit, found.found, found.confirmed, overall)
