"""What every peer does for one request, whatever server is around it."""

import os

import numpy as np
import onnxruntime
from numpy.typing import NDArray

GRAPH_VARIABLE = "BENCHMARK_STEP_GRAPH"
PORT_VARIABLE = "BENCHMARK_PORT"


class StepModel:
    """The step graph, and the states of its sessions in a dict."""

    def __init__(self) -> None:
        """Open the graph that GRAPH_VARIABLE names."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(os.environ[GRAPH_VARIABLE], options)
        state = next(value for value in self._session.get_inputs() if value.name == "state")
        self._zeros = np.zeros((1, state.shape[-1]), np.float32)
        self._states: dict[str, NDArray[np.float32]] = {}

    def step(self, session_id: str, inputs: list[list[float]]) -> list[list[float]]:
        """One time step: inputs [1, F], outputs [1, O]. A session begins with its first step."""
        feed = {
            "input": np.asarray(inputs, np.float32),
            "state": self._states.get(session_id, self._zeros),
        }
        output, state = self._session.run(["output", "next_state"], feed)
        self._states[session_id] = state
        outputs: list[list[float]] = output.tolist()
        return outputs


def port() -> int:
    """Where to listen."""
    return int(os.environ[PORT_VARIABLE])
