"""Where one core's time goes as models grow, and what 8-bit weights and threads change.

    python -m benchmarks.studies.big_models [--json FILE] [--sizes 64,256] [--batches 1,8,32,256]

For every hidden size and batch: one step in float32, what of it is the call of ONNX Runtime, the
products (run alone), and the rest, which is the cost of many small nodes; and the same step with
8-bit weights. Then one step with 1 and 2 threads, and the sequence graph. Times are the best of
many, which a busy machine disturbs least; candidates take turns. ONNX Runtime's own profile is of
no use for small steps: it counts in whole microseconds, and a node takes less.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from onnx.helper import (
    make_graph,
    make_model,
    make_node,
    make_opsetid,
    make_tensor_value_info,
)

from model_export.package import publish_trained
from model_export.publish import publish
from model_export.quantize.options import Options
from model_export.quantize.quantize import quantized_draft
from service.bundle.bundle import Bundle, read_bundle
from service.engine.engine import Engine
from service.engine.provider import Provider
from tests.bundles import values_model

SECONDS = 1.0
"""Spent on each figure."""
SEQUENCE = 256
PRODUCTS = {"Gemm", "MatMul"}

Record = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure big models on one core.")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--sizes", type=_numbers, default=[64, 256, 1024])
    parser.add_argument("--batches", type=_numbers, default=[1, 8, 32, 256])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundles = {size: _bundles(Path(folder), size) for size in arguments.sizes}
        records = {
            "step": list(_steps(bundles, arguments.batches)),
            "threads": list(_threads(bundles, arguments.batches)),
            "sequence": list(_sequences(bundles, arguments.batches)),
        }
    for title, rows in records.items():
        _print(title, rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(records, indent=2) + "\n", "utf-8")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _bundles(folder: Path, size: int) -> dict[str, Bundle]:
    """The model in float32 and, where it is large enough, in 8 bits."""
    made = {
        "float32": read_bundle(
            publish_trained(values_model(f"h{size}", hidden_sizes=(size,)), folder)
        )
    }
    if size >= 256:
        small = quantized_draft(made["float32"], f"h{size}-8bit", Options())
        made["8 bits"] = read_bundle(publish(small, folder))
    return made


def _steps(bundles: Mapping[int, Mapping[str, Bundle]], batches: list[int]) -> Iterator[Record]:
    for size, versions in bundles.items():
        for batch in batches:
            ways = {name: _step(Engine(b, Provider()), batch) for name, b in versions.items()}
            ways |= {"products": _products(versions["float32"], batch), "call": _nothing()}
            best = _best(ways)
            products = best["products"] - best["call"]
            yield {
                "H": size,
                "B": batch,
                "float32, µs": best["float32"],
                "of it the call": best["call"],
                "of it products": products,
                "of it the rest": best["float32"] - best["products"],
                "GFLOP/s of products": 2e-3 * batch * 3 * size**2 / products,
                "weights, GB/s": 4e-3 * 3 * size**2 / products,
                "8 bits, µs": best.get("8 bits"),
                "times faster": best["float32"] / best["8 bits"] if "8 bits" in best else None,
            }


def _threads(bundles: Mapping[int, Mapping[str, Bundle]], batches: list[int]) -> Iterator[Record]:
    size = max(bundles)
    for name, bundle in bundles[size].items():
        engines = {threads: Engine(bundle, Provider(threads=threads)) for threads in (1, 2)}
        for batch in batches:
            best = _best({str(n): _step(engine, batch) for n, engine in engines.items()})
            record: Record = {"H": size, "B": batch, "weights": name}
            yield record | {f"{n} threads, µs": taken for n, taken in best.items()}


def _sequences(bundles: Mapping[int, Mapping[str, Bundle]], batches: list[int]) -> Iterator[Record]:
    for size, versions in bundles.items():
        engine = Engine(versions["float32"], Provider())
        for batch in (batch for batch in batches if batch <= 32):
            inputs, state = _inputs(engine, batch), engine.initial_states(batch)
            many = np.repeat(inputs[:, np.newaxis], SEQUENCE, axis=1)
            best = _best({"sequence": partial(engine.sequence, many, state)})
            yield {
                "H": size,
                "B": batch,
                "T": SEQUENCE,
                "sequence graph, µs per step": best["sequence"] / SEQUENCE,
            }


def _step(engine: Engine, batch: int) -> Callable[[], object]:
    inputs, state = _inputs(engine, batch), engine.initial_states(batch) + np.float32(0.1)
    return lambda: engine.step(inputs, state, gates=True)


def _inputs(engine: Engine, batch: int) -> NDArray[Any]:
    """[B, F]"""
    return np.repeat(engine.example[:1], batch, axis=0)


def _best(ways: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Microseconds of the fastest run of each way; the ways take turns."""
    best = dict.fromkeys(ways, float("inf"))
    for name in ways:
        ways[name]()
    until = time.perf_counter() + SECONDS * len(ways)
    while time.perf_counter() < until:
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], (time.perf_counter() - start) * 1e6)
    return best


def _products(bundle: Bundle, batch: int) -> Callable[[], object]:
    """The step graph's products alone, in one run; all that is not a weight is given."""
    model = onnx.load(bundle.step_graph)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type in PRODUCTS]
    shapes: dict[str, tuple[int, int]] = {}
    outputs = []
    for index, node in enumerate(nodes):
        rows, columns = weights[node.input[1]].dims
        node.output[0] = f"product{index}"
        outputs.append(make_tensor_value_info(node.output[0], TensorProto.FLOAT, ["B", columns]))
        for name, width in zip(node.input, (rows, 0, columns), strict=False):
            if name not in weights:
                shapes[name] = (batch, width)
    inputs = [
        make_tensor_value_info(name, TensorProto.FLOAT, ["B", width])
        for name, (_, width) in shapes.items()
    ]
    used = [weights[name] for name in weights if any(name in node.input for node in nodes)]
    graph = make_graph(nodes, "products", inputs, outputs, used)
    made = make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    session = Provider().open(made.SerializeToString())
    feed = {name: np.full(shape, 0.1, np.float32) for name, shape in shapes.items()}
    return lambda: session.run(None, feed)


def _nothing() -> Callable[[], object]:
    """A run of a graph with one node that does nothing: what the call itself takes."""
    value = make_tensor_value_info("x", TensorProto.FLOAT, [1])
    other = make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = make_graph([make_node("Identity", ["x"], ["y"])], "nothing", [value], [other])
    opset = [make_opsetid("", 20)]
    session = Provider().open(
        make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()
    )
    feed = {"x": np.zeros(1, np.float32)}
    return lambda: session.run(None, feed)


def _print(title: str, rows: list[Record]) -> None:
    print(f"\n{title}\n\n| {' | '.join(rows[0])} |\n{'|---' * len(rows[0])}|")
    for row in rows:
        print(f"| {' | '.join(_shown(value) for value in row.values())} |")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if value < 100 else f"{value:,.0f}"
    return "" if value is None else str(value)


if __name__ == "__main__":
    main()
