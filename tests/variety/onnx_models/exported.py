"""Files as torch's two exporters write them."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast
from zlib import crc32

import onnx
import torch
from torch import Tensor, nn

from model_export.rewrite.roles import Hints
from tests.variety.onnx_models.axes import Axes
from tests.variety.onnx_models.case import Case, Expected, File
from tests.variety.onnx_models.newer import INSISTENT, INSISTS, NEWER

BATCH, TIME = 2, 7
"""Of the inputs that a model is traced with."""
Run = Callable[..., Any]
BOTH = ("old 17", "new 18")
OLD, NEW = ("old 17",), ("new 18",)


class Net(nn.Module):
    """A module in one expression: what to run, and the parts that it runs."""

    def __init__(self, run: Run, **parts: nn.Module | Tensor) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            value = nn.Parameter(part) if isinstance(part, Tensor) else part
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return super().__getattr__(name)

    def forward(self, *inputs: Tensor) -> object:
        return self.run(self, *inputs)


def exported(
    name: str,
    make: Callable[[], nn.Module],
    expected: Expected,
    *,
    inputs: Mapping[str, str] | None = None,
    output: str = "B T 2",
    outputs: Sequence[str] = ("y",),
    answers: str | None = None,
    fed: Mapping[str, str] | None = None,
    by: Sequence[str] = BOTH,
    batch: int = BATCH,
    tokens: int | None = None,
    integers: frozenset[str] = frozenset(),
    hints: Hints | None = None,
    options: Mapping[str, object] | None = None,
    within: float = 1e-4,
    louder: float = 1.5,
    dtype: torch.dtype = torch.float32,
    training: bool = False,
) -> Iterator[Case]:
    """A case for each exporter and opset in `by`, such as `old 17`.

    Weights are made `louder`, so that what a session forgets is not lost among small numbers.
    """
    axes = {one: Axes(written) for one, written in (inputs or {"x": "B T 3"}).items()}
    for which in _taken(name, by):

        def write(
            which: str = which, dtype: torch.dtype = dtype, stored: torch.dtype = dtype
        ) -> File:
            module = _made(name, make, louder)
            module.train(training)
            tensors = _examples(axes, batch, tokens, integers)
            given = [one.to(dtype) if one.is_floating_point() else one for one in tensors]
            file = _export(
                module.to(stored).to(dtype), given, axes, outputs, which, training=training
            )
            return File(file, None if training or dtype != torch.float32 else module)

        yield Case(
            name=f"{name}, {which}",
            write=write,
            expected=INSISTS if name in INSISTENT and which.startswith("new") else expected,
            inputs=axes,
            output=Axes(output),
            answers=answers or outputs[0],
            fed=fed or {},
            tokens=tokens,
            integers=integers,
            hints=hints or Hints(),
            options=options or {},
            within=within,
            # ONNX Runtime has no kernel for a GRU in float64, and dies of one in float16.
            truth=partial(write, dtype=torch.float32) if dtype != torch.float32 else None,
        )


def _taken(name: str, by: Sequence[str]) -> list[str]:
    return [which for which in by if which.startswith("old") or name in {*NEWER, *INSISTENT}]


def _made(name: str, make: Callable[[], nn.Module], louder: float) -> nn.Module:
    torch.manual_seed(crc32(name.encode()))
    module = make()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(louder)
    return module


def _examples(
    axes: Mapping[str, Axes], batch: int, tokens: int | None, integers: frozenset[str]
) -> list[Tensor]:
    made: list[Tensor] = []
    for index, (name, one) in enumerate(axes.items()):
        shape = one.shape(batch, TIME)
        if (index == 0 and tokens) or name in integers:
            made.append(torch.randint(0, tokens or 2, shape))
        else:
            made.append(torch.randn(shape))
    return made


def _export(
    module: nn.Module,
    given: Sequence[Tensor],
    axes: Mapping[str, Axes],
    outputs: Sequence[str],
    which: str,
    *,
    training: bool,
) -> onnx.ModelProto:
    exporter, opset = which.split()
    file = io.BytesIO()
    mode = torch.onnx.TrainingMode
    common: dict[str, Any] = {
        "input_names": list(axes),
        "output_names": list(outputs),
        "opset_version": int(opset),
        "verbose": False,
    }
    if exporter == "new":
        _forget_kernels()
        common |= {"dynamo": True, "dynamic_shapes": {"inputs": _dimensions(axes)}}
    else:
        common |= {"dynamo": False, "dynamic_axes": {one: axes[one].open for one in axes}}
        common["training"] = mode.TRAINING if training else mode.EVAL
        common["do_constant_folding"] = not training
    with _quietly(), torch.no_grad():
        torch.onnx.export(module, tuple(given), cast(Any, file), **common)
    model = onnx.load_from_string(file.getvalue())
    _check_open(model, axes)
    return model


def _check_open(model: onnx.ModelProto, axes: Mapping[str, Axes]) -> None:
    """An exporter that fixes an axis which a case leaves open has written another case."""
    for value in model.graph.input:
        sizes = value.type.tensor_type.shape.dim
        wanted = axes[value.name].open if value.name in axes else {}
        assert all(sizes[at].dim_param for at in wanted), f"{value.name} was written with {sizes}"


def _dimensions(axes: Mapping[str, Axes]) -> tuple[dict[int, Any] | None, ...]:
    symbols = {name: torch.export.Dim(name, min=1, max=4096) for name in ("batch", "time")}
    return tuple(
        {at: symbols[name] for at, name in one.open.items()} or None for one in axes.values()
    )


def _forget_kernels() -> None:
    """torch 2.13 registers a GRU of any length while it exports, and finds it the first time only:
    later exports take what the operator's cache holds, which fixes the length."""
    for operator in (torch.ops.aten.gru.input, torch.ops.aten.lstm.input):
        operator._dispatch_cache.clear()


@contextmanager
def _quietly() -> Iterator[None]:
    """What the exporters warn of is no business of these tests."""
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
