"""The run without faults: the same requests, one after the other, on the engine itself."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.signatures import Tokens
from service.bundle.signatures.sampling import Sampling
from service.engine.engine import Engine, Gates
from service.operations.keys import Key
from service.operations.rollout import Plan, seed_of
from tests.faults.requests import Request
from tests.rolled_out import roll

Numbers = dict[str, NDArray[Any]]
"""What an answer holds: outputs [N, O] or tokens [N], the gates [T, S], or the state [S]."""

_GATES = ("reset", "update", "candidate", "hidden")
_RELATIVE = 1e-6


class Undisturbed:
    """One session: its state [S] and the count of its time steps."""

    def __init__(self, engine: Engine, state: NDArray[np.float32], step: int) -> None:
        self.engine = engine
        self.state = state
        self.step = step

    def apply(self, request: Request, answered: dict[str, Any]) -> Numbers:
        """What the request is to be answered with. `answered` names the seed where tokens were
        drawn; where the answer is lost, it comes from the key."""
        content = request.content()
        if request.operation == "state":
            self.step = content["step"]
            self.state = np.array(content["state"], np.float32)
            return {"state": self.state}
        is_token = isinstance(self.engine.manifest.input, Tokens)
        inputs = np.array(content["inputs"], np.int64 if is_token else np.float32)
        self.step += request.consumes
        if request.operation == "rollout":
            seed = content.get("seed", answered.get("seed"))
            if seed is None:
                seed = 0 if request.key is None else seed_of(Key.of(request.key.encode()))
            return self._roll(inputs, content, seed, "tokens" if is_token else "outputs")
        return self._steps(inputs, gates="gates" in content)

    def _steps(self, inputs: NDArray[Any], *, gates: bool) -> Numbers:
        if len(inputs) == 1:
            done = self.engine.step(inputs, self.state[np.newaxis], gates=gates)
            self.state = done.state[0]
            return {"outputs": done.output} | _numbers(done.gates)
        output, states = self.engine.sequence(inputs[np.newaxis], self.state[np.newaxis])
        shown = self.engine.gates_of(inputs, self.state, states[0]) if gates else None
        self.state = states[0, -1]
        return {"outputs": output[0]} | _numbers(shown)

    def _roll(self, inputs: NDArray[Any], content: dict[str, Any], seed: int, name: str) -> Numbers:
        sampling = Sampling(seed, content.get("temperature", 1.0))
        plan = Plan(inputs, content["steps"], "gates" in content, sampling)
        rolled = roll(self.engine, plan, self.state)
        self.state = rolled.state
        return {name: rolled.result.outputs} | _numbers(rolled.result.gates)


def numbers_of(answered: dict[str, Any]) -> Numbers:
    """The numbers of an answer's JSON."""
    numbers: Numbers = {
        name: np.array(answered[name], np.float32)
        for name in ("outputs", "state")
        if name in answered
    }
    if "tokens" in answered:
        numbers["tokens"] = np.array(answered["tokens"], np.int32)
    if "gates" in answered:
        layers = answered["gates"]["layers"]
        for name in _GATES:
            parts = [np.array(layer[name], np.float32) for layer in layers]
            numbers[name] = np.concatenate(parts, axis=1)
    return numbers


def difference(found: Numbers, expected: Numbers) -> str | None:
    """What is wrong with an answer; None where all its numbers are the expected ones to 1e-6."""
    if found.keys() != expected.keys():
        return f"holds {sorted(found)}, expected {sorted(expected)}"
    for name, numbers in expected.items():
        if found[name].shape != numbers.shape:
            return f"{name} has the shape {found[name].shape}, expected {numbers.shape}"
        off = np.abs(found[name] - numbers) / np.maximum(1, np.abs(numbers))
        if not (off <= _RELATIVE).all():
            return f"{name} is off by up to {off.max():.2g}"
    return None


def same_bits(found: Numbers, expected: Numbers) -> bool:
    return all(np.array_equal(found[name], numbers) for name, numbers in expected.items())


def _numbers(gates: Gates | None) -> Numbers:
    return {} if gates is None else {name: gates[name] for name in _GATES}
