"""The step on MLServer, whose requests follow the Open Inference Protocol."""

import asyncio

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from benchmarks.peers.step import StepModel, port


class StepRuntime(MLModel):
    async def load(self) -> bool:
        self.model = StepModel()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = payload.inputs[0]
        outputs = self.model.step(payload.id, [inputs.data.root])
        output = ResponseOutput(
            name="outputs", shape=[1, len(outputs[0])], datatype="FP32", data=outputs[0]
        )
        return InferenceResponse(model_name=self.name, outputs=[output])


async def main() -> None:
    settings = Settings(
        host="127.0.0.1",
        http_port=port(),
        grpc_port=port() + 1,
        metrics_port=port() + 2,
        debug=False,
        # In the server's own process, without a queue between two.
        parallel_workers=0,
    )
    model = ModelSettings(name="step", implementation=StepRuntime)
    await MLServer(settings).start([model])


if __name__ == "__main__":
    asyncio.run(main())
