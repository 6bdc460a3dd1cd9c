"""The step on NVIDIA's pytriton: Triton's HTTP front end and batcher before a Python function."""

import signal
import sys
from typing import Any

import numpy as np
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.peers.step import StepModel, port

model = StepModel()


def step(requests: list[Any]) -> list[dict[str, Any]]:
    """Requests of one step each, as many as were waiting."""
    return [
        {"outputs": np.array(model.step(request["session_id"].item(), request["inputs"]))}
        for request in requests
    ]


if __name__ == "__main__":
    # Triton is a process of its own, which the end of this one by itself ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=port(),
        grpc_port=port() + 1,
        metrics_port=port() + 2,
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="step",
            infer_func=step,
            inputs=[
                Tensor(name="session_id", dtype=bytes, shape=(1,)),
                Tensor(name="inputs", dtype=np.float32, shape=(-1,)),
            ],
            outputs=[Tensor(name="outputs", dtype=np.float64, shape=(-1,))],
            config=ModelConfig(max_batch_size=128, batcher=DynamicBatcher()),
        )
        triton.serve()
