"""One GRU layer, forward and backward: nn.GRU, a plain Python loop, and GRULayer, side by side.

    python -m benchmarks.studies.gru_layer [--json FILE]

Exit status 1 when GRULayer, with either reset, takes more than twice the time of nn.GRU.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from model_export.model.layer import GRULayer

TIME, BATCH, SIZE = 64, 64, 128
LIMIT = 2.0


def plain_loop(layer: GRULayer, x: Tensor, h: Tensor) -> Tensor:
    """Reset "before" as one would write it down, all gradients left to autograd."""
    states = []
    W, U = layer.weight_ih.chunk(3), layer.weight_hh.chunk(3)
    b = layer.bias_ih.chunk(3)
    for x_t in x:
        reset = torch.sigmoid(x_t @ W[0].t() + h @ U[0].t() + b[0])
        keep = torch.sigmoid(x_t @ W[1].t() + h @ U[1].t() + b[1])
        candidate = torch.tanh(x_t @ W[2].t() + b[2] + (reset * h) @ U[2].t())
        h = keep * h + (1 - keep) * candidate
        states.append(h)
    return torch.stack(states)


def contestants() -> dict[str, Callable[[], Tensor]]:
    """States [T, B, H] by each way, on the same inputs."""
    x = torch.randn(TIME, BATCH, SIZE, requires_grad=True)
    h = torch.zeros(BATCH, SIZE)
    reference = nn.GRU(SIZE, SIZE)
    before, after = GRULayer(SIZE, SIZE, "before"), GRULayer(SIZE, SIZE, "after")
    return {
        "nn.GRU": lambda: reference(x, h[None])[0],
        "plain loop, reset before": lambda: plain_loop(before, x, h),
        "GRULayer, reset before": lambda: before(x, h),
        "GRULayer, reset after": lambda: after(x, h),
    }


def measure(repeats: int) -> dict[str, float]:
    """Median seconds of forward and backward; the ways take turns, to share all disturbances."""
    ways = contestants()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats + 3):
        for name, forward in ways.items():
            start = time.perf_counter()
            torch.autograd.backward(forward().sum())
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken[3:]) for name, taken in seconds.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--repeats", type=int, default=30)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    seconds = measure(arguments.repeats)
    ratios = {name: taken / seconds["nn.GRU"] for name, taken in seconds.items()}
    print(f"T={TIME} B={BATCH} H=I={SIZE}, forward and backward, {torch.get_num_threads()} threads")
    for name, ratio in ratios.items():
        print(f"{name:26}{seconds[name] * 1e3:8.1f} ms {ratio:6.2f} × nn.GRU")
    ours = {name: ratio for name, ratio in ratios.items() if name.startswith("GRULayer")}
    if arguments.json:
        record = {"seconds": seconds, "ratios": ratios, "limit": LIMIT}
        arguments.json.write_text(json.dumps(record, indent=2) + "\n")
    return int(max(ours.values()) > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
