"""Which execution provider runs the graphs."""

from dataclasses import dataclass
from typing import Literal

import onnxruntime

from service.errors import ProviderUnavailable

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"


@dataclass(frozen=True, slots=True)
class Provider:
    """How graphs are opened: the device asked for, and ONNX Runtime's threads within one run.

    `auto` takes CUDA where ONNX Runtime can use it, else the CPU; `cuda` insists.
    """

    device: Literal["auto", "cpu", "cuda"] = "cpu"
    threads: int = 1

    def open(self, graph: bytes) -> onnxruntime.InferenceSession:
        """A session for one graph.

        Raises ProviderUnavailable where `cuda` is asked for and cannot be had: ONNX Runtime
        itself would fall back to the CPU with no more than a log line.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        # Threads that spin between two runs would take the core from the event loop.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(graph, options, providers=self._candidates())
        if self.device == "cuda" and _CUDA not in session.get_providers():
            raise ProviderUnavailable(_NO_CUDA)
        return session

    def _candidates(self) -> list[str]:
        if self.device == "cpu":
            return [_CPU]
        if _CUDA in onnxruntime.get_available_providers():
            onnxruntime.preload_dlls()
            return [_CUDA, _CPU]
        if self.device == "cuda":
            raise ProviderUnavailable(_NO_CUDA)
        return [_CPU]


_NO_CUDA = (
    "device cuda was asked for, but ONNX Runtime cannot use CUDA here; install onnxruntime-gpu "
    "with a matching CUDA and driver, or start with --device cpu"
)
