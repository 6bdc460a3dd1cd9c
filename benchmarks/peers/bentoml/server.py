"""The step on BentoML."""

import sys

import bentoml
from bentoml_cli.cli import cli

from benchmarks.peers.step import StepModel, port


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Step:
    def __init__(self) -> None:
        self.model = StepModel()

    @bentoml.api
    async def step(self, session_id: str, inputs: list[list[float]]) -> list[list[float]]:
        return self.model.step(session_id, inputs)


if __name__ == "__main__":
    sys.argv[1:] = ["serve", "benchmarks.peers.bentoml.server:Step"]
    sys.argv += ["--host", "127.0.0.1", "--port", str(port())]
    sys.exit(cli())
