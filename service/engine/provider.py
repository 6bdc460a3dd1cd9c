"""Which execution provider runs the graphs."""

from dataclasses import dataclass
from typing import Literal

import onnxruntime
import structlog

from service.errors import ProviderUnavailable

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"

log = structlog.get_logger()


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
        candidates = self._candidates()
        session = onnxruntime.InferenceSession(graph, options, providers=candidates)
        if len(candidates) > 1 and _CUDA not in session.get_providers():
            if self.device == "cuda":
                raise ProviderUnavailable(_NO_CUDA)
            log.warning("cuda_unusable", detail="ONNX Runtime lists CUDA but cannot start it here")
        return session

    def _candidates(self) -> list[str | tuple[str, dict[str, str]]]:
        if self.device == "cpu":
            return [_CPU]
        if _CUDA in onnxruntime.get_available_providers():
            onnxruntime.preload_dlls()
            # TF32 keeps 10 bits of a product's operands: too few to agree with PyTorch to 1e-5.
            return [(_CUDA, {"use_tf32": "0"}), _CPU]
        if self.device == "cuda":
            raise ProviderUnavailable(_NO_CUDA)
        return [_CPU]


_NO_CUDA = (
    "device cuda was asked for, but ONNX Runtime cannot use CUDA here; install onnxruntime-gpu "
    "with a matching CUDA and driver, or start with --device cpu"
)
