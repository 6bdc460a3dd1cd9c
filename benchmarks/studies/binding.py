"""Runs with inputs and outputs kept in the memory of the device.

Meant for CUDA: a plain run allocates device memory for every input and output of every step. Here
the buffers of a batch size stay, each array is copied once to the device and each answer once back.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

KEPT = 8
"""Batch sizes whose buffers stay; the one unused for longest goes first."""

_Key = tuple[tuple[str, ...], tuple[tuple[str, tuple[int, ...], str], ...]]


@dataclass(frozen=True, slots=True)
class _Buffers:
    inputs: dict[str, Any]
    binding: Any


class Bound:
    """One graph with its buffers on `device`, "cpu" or "cuda". Any thread may call `run`."""

    def __init__(self, session: onnxruntime.InferenceSession, device: str) -> None:
        self._session = session
        self._device = device
        self._buffers: OrderedDict[_Key, _Buffers] = OrderedDict()
        self._lock = Lock()

    def run(self, fetches: list[str], feed: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """As `InferenceSession.run`: what the graph makes of `feed`, in the order of `fetches`."""
        arrays = {name: np.ascontiguousarray(array) for name, array in feed.items()}
        key = (
            tuple(fetches),
            tuple((name, array.shape, array.dtype.str) for name, array in arrays.items()),
        )
        with self._lock:
            if key not in self._buffers:
                self._buffers[key] = self._bind(fetches, arrays)
                if len(self._buffers) > KEPT:
                    self._buffers.popitem(last=False)
            self._buffers.move_to_end(key)
            buffers = self._buffers[key]
            for name, array in arrays.items():
                buffers.inputs[name].update_inplace(array)
            self._session.run_with_iobinding(buffers.binding)
            # On the CPU an answer is a view of the buffer, which the next run overwrites.
            return [np.array(value.numpy()) for value in buffers.binding.get_outputs()]

    def _bind(self, fetches: list[str], arrays: dict[str, NDArray[Any]]) -> _Buffers:
        binding = self._session.io_binding()
        inputs = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(array, self._device, 0)
            for name, array in arrays.items()
        }
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, value)
        # The first run allocates them; the binding keeps them for the runs that follow.
        for name in fetches:
            binding.bind_output(name, self._device)
        return _Buffers(inputs, binding)
