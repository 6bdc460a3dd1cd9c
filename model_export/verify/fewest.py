"""The shortest sequence that a model takes.

Found in NumPy, never in ONNX Runtime: its GRU kernel ends the whole process when a convolution or a
slice before it leaves no step over.
"""

from collections.abc import Callable

import onnx_ir as ir

from model_export.errors import ModelRefused
from model_export.float64.graph import Float64Graph
from model_export.original import Arrays
from model_export.verify.asked import Asked, Rows

LONGEST_TRIED = 4096


def fewest_steps(
    asked: Asked, normalised: ir.Model, rows: Callable[[int], Rows], constants: Arrays
) -> int:
    """How many steps a whole sequence has at least; `rows` makes some [1, T, …], `constants` are
    [1, …] each.

    Raises ModelRefused where the model cannot be run on any length.
    """
    if asked.roles.takes_single_steps or asked.roles.fixed.time is not None:
        return 1
    graph = Float64Graph(ir.to_proto(normalised).SerializeToString())

    def refusal_of(length: int) -> ModelRefused | None:
        try:
            graph.run(asked.feed(rows(length), constants))
        except ModelRefused as error:
            return error
        return None

    enough, too_few = 1, 0
    while (error := refusal_of(enough)) is not None:
        if enough >= LONGEST_TRIED:
            raise error
        too_few, enough = enough, 2 * enough
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if refusal_of(middle) is None:
            enough = middle
        else:
            too_few = middle
    return enough
