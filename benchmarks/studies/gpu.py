"""Steps for 1,000 sessions at once on a GPU, host to host, against GRUCell on the same device.

    python -m benchmarks.studies.gpu [--sessions 1000] [--size 256]

Inputs and states begin and end in the host's memory each step, as they do in the service, whose
states live in a store. The step graph runs plainly, and with its buffers kept on the device
(`binding`). Without a GPU that ONNX Runtime and PyTorch can both use it says so, and measures
nothing. The model has reset "after", which is what GRUCell computes.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from benchmarks.studies.binding import Bound
from model_export.package import publish_trained
from service.bundle.bundle import read_bundle
from service.engine.provider import Provider
from tests.bundles import values_model

SECONDS = 3.0
_FETCHES = ["output", "next_state"]

Array = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure steps on a GPU.")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--size", type=int, default=256)
    arguments = parser.parse_args()
    missing = _missing()
    if missing:
        print(f"nothing measured: {missing}")
        return
    steps = measure("cuda", arguments.sessions, arguments.size)
    for name, seconds in steps.items():
        ratio = steps["torch.nn.GRUCell"] / seconds
        print(f"{name:24} {seconds * 1e6:10.0f} µs {ratio:8.2f} × the speed of GRUCell")


def _missing() -> str | None:
    if not torch.cuda.is_available():
        return "PyTorch finds no GPU here"
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return "this ONNX Runtime cannot use CUDA; install onnxruntime-gpu"
    return None


def measure(device: str, sessions: int, size: int) -> dict[str, float]:
    """Median seconds of a step for all sessions, host to host, by each way; they take turns."""
    trained = values_model("gpu", reset="after", hidden_sizes=(size,))
    inputs = np.repeat(trained.sample[:1], sessions, axis=0)
    state = np.random.default_rng(0).uniform(-1, 1, (sessions, size)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        graph = read_bundle(publish_trained(trained, Path(folder))).step_graph.read_bytes()
    session = Provider("cuda" if device == "cuda" else "cpu").open(graph)
    bound, feed = Bound(session, device), {"input": inputs, "state": state}
    ways: dict[str, Callable[[], object]] = {
        "torch.nn.GRUCell": _cell(device, inputs, state),
        "step graph": lambda: session.run(_FETCHES, feed),
        "step graph, bound": lambda: bound.run(_FETCHES, feed),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for run in ways.values():
        run()
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - start)
    return {name: float(np.median(seconds)) for name, seconds in taken.items()}


def _cell(device: str, inputs: Array, state: Array) -> Callable[[], Array]:
    cell = torch.nn.GRUCell(inputs.shape[1], state.shape[1]).to(device)

    def run() -> Array:
        with torch.inference_mode():
            x, h = torch.from_numpy(inputs).to(device), torch.from_numpy(state).to(device)
            after: Array = cell(x, h).cpu().numpy()
            return after

    return run


if __name__ == "__main__":
    main()
