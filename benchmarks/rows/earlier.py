"""The claims that were measured before there was a table: one step, durability, the GRU layer."""

from benchmarks.studies import durability, gru_layer, http_step
from benchmarks.tools.row import Plan, Row


def rows(_: Plan) -> list[Row]:
    step, store = http_step.run(), durability.run()
    seconds = gru_layer.measure(30)
    layers = [taken for name, taken in seconds.items() if name.startswith("GRULayer")]
    return [
        *(
            Row(name, [step[name]], 1, "at most")
            for name in (
                http_step.CLAIM.format("busy", "tight loop"),
                http_step.CLAIM.format("idle", "served"),
            )
        ),
        Row(durability.CLAIM, [store[durability.CLAIM]], durability.ALLOWED, "at least"),
        Row(
            "GRULayer / nn.GRU, forward and backward",
            [max(layers) / seconds["nn.GRU"]],
            gru_layer.LIMIT,
            "at most",
        ),
    ]
