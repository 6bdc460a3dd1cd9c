"""Which provider is asked of ONNX Runtime. A stand-in plays a machine with CUDA, or half of it."""

from typing import Any

import onnxruntime
import pytest
from structlog.testing import capture_logs

from service.engine.provider import Provider
from service.errors import ProviderUnavailable

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.fixture(params=[True, False], ids=["usable", "broken driver"])
def usable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """ONNX Runtime lists CUDA; whether it can start it is the parameter."""
    starts: bool = request.param

    class Session:
        def __init__(self, *_: object, providers: list[Any]) -> None:
            names = [one if isinstance(one, str) else one[0] for one in providers]
            self.asked = providers
            self.providers = names if starts else [CPU]

        def get_providers(self) -> list[str]:
            return self.providers

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    return starts


def test_auto_takes_cuda_where_it_starts_and_says_so_where_not(usable: bool) -> None:
    with capture_logs() as logs:
        session = Provider("auto").open(b"")
    assert session.get_providers()[0] == (CUDA if usable else CPU)
    assert [log["event"] for log in logs] == ([] if usable else ["cuda_unusable"])


def test_cuda_is_refused_where_it_does_not_start(usable: bool) -> None:
    if usable:
        assert Provider("cuda").open(b"").get_providers() == [CUDA, CPU]
    else:
        with pytest.raises(ProviderUnavailable, match="--device cpu"):
            Provider("cuda").open(b"")


@pytest.mark.usefixtures("usable")
def test_cuda_computes_in_full_float32() -> None:
    asked = Provider("auto").open(b"").asked
    assert asked == [(CUDA, {"use_tf32": "0"}), CPU]
    assert Provider("cpu").open(b"").asked == [CPU]
