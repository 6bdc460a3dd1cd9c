"""The step on Ray Serve."""

import signal
import sys
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from benchmarks.peers.step import StepModel, port


class Step:
    def __init__(self) -> None:
        self.model = StepModel()

    async def __call__(self, request: Request) -> dict[str, Any]:
        body = await request.json()
        return {"outputs": self.model.step(body["session_id"], body["inputs"])}


if __name__ == "__main__":
    # Ray ends its own processes when its driver exits by itself.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port()})
    deployment = serve.deployment(num_replicas=1, max_ongoing_requests=512)(Step)
    serve.run(deployment.bind())
    signal.pause()
