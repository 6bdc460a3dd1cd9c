"""The app that one writes by hand: FastAPI, pydantic, a dict and `session.run`."""

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.peers.step import StepModel, port

app = FastAPI()
model = StepModel()


class StepRequest(BaseModel):
    inputs: list[list[float]]


class StepAnswer(BaseModel):
    session_id: str
    outputs: list[list[float]]


@app.post("/v1/sessions/{session_id}/steps")
async def step(session_id: str, request: StepRequest) -> StepAnswer:
    return StepAnswer(session_id=session_id, outputs=model.step(session_id, request.inputs))


if __name__ == "__main__":
    uvicorn.run(app, port=port(), access_log=False, log_level="error")
