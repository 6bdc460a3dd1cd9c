"""Which past steps a unit is holding, and where the layer was in nearly the same state."""

from collections.abc import Sequence

from service.analysis.attribution import Attribution as Held
from service.analysis.attribution import attribute
from service.analysis.nearest import Near
from service.analysis.nearest import Nearest as Search
from service.bundle.manifest import HIDDEN
from service.operations.traces import Attribution, Nearest
from service.traces.asking import Working, step_of, units_of
from service.traces.run import Run
from service.traces.tensors import cell_of, check_layer, recorded, recorded_slices


def attribution(run: Run, asked: Attribution) -> Working[Held]:
    """Raises InvalidInput."""
    check_layer(run, asked.layer)
    step = step_of(run, asked.step)
    units = units_of(run, asked.layer, [asked.unit])
    backwards = (recorded(run, asked.layer, one) for one in run.backwards(step + 1))
    yield
    return attribute(backwards, cell_of(run, asked.layer), step, units)


def nearest(run: Run, asked: Nearest) -> Working[tuple[int, Sequence[Near]]]:
    """The step, and the nearest first. Raises InvalidInput."""
    check_layer(run, asked.layer)
    step = step_of(run, asked.step)
    (one,) = run.slices(step, step + 1)
    state = recorded(run, asked.layer, one).tensors[HIDDEN][0]
    search = Search(state, step, count=asked.count, apart=asked.apart)
    for found in recorded_slices(run, asked.layer):
        search.add(found.tensors[HIDDEN], found.begin)
        yield
    return step, search.result()
