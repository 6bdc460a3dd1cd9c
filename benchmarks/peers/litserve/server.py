"""The step on LitServe."""

from typing import Any

import litserve

from benchmarks.peers.step import StepModel, port


class StepAPI(litserve.LitAPI):
    def setup(self, _: str) -> None:
        self.model = StepModel()

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    def predict(self, x: dict[str, Any]) -> list[list[float]]:
        return self.model.step(x["session_id"], x["inputs"])

    def encode_response(self, output: list[list[float]]) -> dict[str, Any]:
        return {"outputs": output}


if __name__ == "__main__":
    server = litserve.LitServer(StepAPI(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=port(),
        num_api_servers=1,
        log_level="error",
        access_log=False,
        generate_client_file=False,
    )
