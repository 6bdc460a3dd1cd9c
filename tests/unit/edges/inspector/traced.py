"""What a trace must show, from the equations alone, in float64."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bundles import served_models
from tests.oracle import Oracle, Trace

Array = NDArray[np.float64]
NETWORKS = {trained.name: trained.network for trained in served_models()}
TERMS = ("reset_pre", "update_pre", "candidate_pre", "candidate_input", "candidate_history")


@dataclass(frozen=True, slots=True)
class Expected:
    """The run of one of the small models over inputs [T, F] or [T] from its beginning."""

    oracle: Oracle
    inputs: NDArray[Any]
    run: Trace

    @classmethod
    def of(cls, model: str, inputs: NDArray[Any], state: NDArray[Any] | None = None) -> "Expected":
        oracle = Oracle(NETWORKS[model])
        begun = np.zeros(sum(oracle.hidden_sizes)) if state is None else state
        return cls(oracle, inputs, oracle.run(inputs[np.newaxis], begun[np.newaxis]))

    @property
    def output(self) -> Array:
        output: Array = self.run.output[0]
        return output

    def tensor(self, name: str, layer: int) -> Array:
        """[T, U] of a gate, `hidden`, `before`, `keep` or one of TERMS."""
        if name == "keep":
            return 1 - self.tensor("update", layer)
        if name == "before":
            hidden = self.tensor("hidden", layer)
            return np.concatenate([np.zeros((1, hidden.shape[1])), hidden[:-1]])
        if name in TERMS:
            return self._terms(layer)[TERMS.index(name)]
        whole: Array = getattr(self.run, name)[0]
        return self.split(whole)[layer]

    def split(self, tensor: Array) -> list[Array]:
        """[T, S] by layers."""
        return np.split(tensor, np.cumsum(self.oracle.hidden_sizes)[:-1], axis=-1)

    def given(self, layer: int) -> Array:
        """What a layer is given, [T, I]."""
        if layer:
            return self.tensor("hidden", layer - 1)
        return self.oracle.seen(self.inputs)

    def _terms(self, layer: int) -> tuple[Array, ...]:
        one, x, h = self.oracle.layers[layer], self.given(layer), self.tensor("before", layer)
        r = self.tensor("reset", layer)
        from_input = x @ one.W_n.T + one.b_n
        is_before = one.reset == "before"
        history = (r * h) @ one.U_n.T if is_before else r * (h @ one.U_n.T + one.c_n)
        return (
            x @ one.W_r.T + h @ one.U_r.T + one.b_r,
            x @ one.W_z.T + h @ one.U_z.T + one.b_z,
            from_input + history,
            from_input,
            history,
        )
