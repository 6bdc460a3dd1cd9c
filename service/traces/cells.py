"""Every number of the equations for one unit at one step."""

from service.analysis.recorded import LAYER_INPUT
from service.bundle.manifest import HIDDEN
from service.operations.traces import CellAt
from service.traces.asking import Working, step_of, units_of
from service.traces.run import Run
from service.traces.tensors import check_layer, recorded

Numbers = dict[str, float]


def cell_at(run: Run, asked: CellAt) -> Working[tuple[int, Numbers]]:
    """The step, counted before it is made, and the numbers by the names of the tensors.

    `kept` = keep · before and `written` = update · candidate are what the hidden state is the sum
    of. Raises InvalidInput.
    """
    layer = check_layer(run, asked.layer)
    step = step_of(run, asked.step)
    (unit,) = units_of(run, asked.layer, [asked.unit])
    (one,) = run.slices(step, step + 1)
    yield
    found = recorded(run, asked.layer, one).tensors
    numbers = {
        name: float(tensor[0, unit]) for name, tensor in found.items() if name != LAYER_INPUT
    }
    if "update" in layer.gates and "candidate" in layer.gates:
        update = numbers["update"]
        before = numbers.get("before")
        numbers["keep"] = 1 - update
        numbers["written"] = update * numbers["candidate"]
        if before is not None:
            numbers["kept"] = (1 - update) * before
            numbers["change"] = numbers[HIDDEN] - before
    return step, numbers
