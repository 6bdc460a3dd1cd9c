"""Models as other people export them: modules that know nothing of this project."""

import io
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

BATCH_AND_TIME = {0: "batch", 1: "time"}


class Windowed(nn.Module):
    """The commonest of all: two layers, a head on the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 8, num_layers=2, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        answered: Tensor = self.head(self.gru(x)[0][:, -1])
        return answered


class Bidirectional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 8, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        answered: Tensor = self.head(self.gru(x)[0])
        return answered


class Differences(nn.Module):
    """Both ways through the differences between steps: of one step there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 8, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        answered: Tensor = self.gru(x[:, 1:] - x[:, :-1])[0][:, -1]
        return answered


class Narrowed(nn.Module):
    """Both ways through time, and an answer from the last three steps: fewer are too few."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 8, batch_first=True, bidirectional=True)
        self.convolution = nn.Conv1d(16, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        answered: Tensor = self.convolution(self.gru(x)[0].transpose(1, 2))[..., -1]
        return answered


class Convolved(nn.Module):
    """A convolution over time in front: causal, or one that looks two steps ahead."""

    def __init__(self, *, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.convolution = nn.Conv1d(3, 5, 3, dilation=2, padding=4 if causal else 2)
        self.gru = nn.GRU(5, 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolution(x.transpose(1, 2))
        y = y[:, :, :-4] if self.causal else y
        answered: Tensor = self.head(self.gru(torch.relu(y).transpose(1, 2))[0])
        return answered


class Conditioned(nn.Module):
    """A constant decides the initial state, and is joined to every step."""

    def __init__(self) -> None:
        super().__init__()
        self.begin = nn.Linear(4, 8)
        self.gru = nn.GRU(7, 8, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        repeated = speaker.unsqueeze(1).expand(-1, x.size(1), -1)
        begun = torch.tanh(self.begin(speaker)).unsqueeze(0)
        answered: Tensor = self.head(self.gru(torch.cat([x, repeated], -1), begun)[0])
        return answered


class Lanes(nn.Module):
    """A GRU along frequency inside each frame, both ways, and one through time in each band."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Conv2d(1, 4, (1, 3), padding=(0, 1))
        self.inside = nn.GRU(4, 6, batch_first=True, bidirectional=True)
        self.join = nn.Linear(12, 4)
        self.across = nn.GRU(4, 4, batch_first=True)
        self.down = nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        B, T, F = x.shape
        y = self.up(x.unsqueeze(1)).permute(0, 2, 3, 1)
        y = y + self.join(self.inside(y.reshape(B * T, F, 4))[0]).reshape(B, T, F, 4)
        bands = y.permute(0, 2, 1, 3).reshape(B * F, T, 4)
        across = self.across(bands)[0].reshape(B, F, T, 4).permute(0, 2, 1, 3)
        return torch.sigmoid(self.down(y + across)).squeeze(-1) * x


class Streaming(nn.Module):
    """One frame at a time, with a convolution's past and both layers' states passed in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(2, 3, (3, 3), padding=(0, 1))
        self.first = nn.GRU(27, 8, batch_first=True)
        self.second = nn.GRU(8, 6, batch_first=True)
        self.mask = nn.Linear(6, 18)

    def forward(self, x: Tensor, conv: Tensor, one: Tensor, two: Tensor) -> tuple[Tensor, ...]:
        frames = torch.cat([conv, x.permute(0, 3, 2, 1)], 2)
        y = torch.relu(self.convolution(frames)).permute(0, 2, 1, 3).reshape(x.size(0), 1, 27)
        y, one = self.first(y, one)
        y, two = self.second(y, two)
        mask = torch.sigmoid(self.mask(y)).reshape(x.size(0), 1, 9, 2).permute(0, 2, 1, 3)
        return mask * x, frames[:, :, 1:], one, two


class Packed(nn.Module):
    """One frame at a time; two convolutions' pasts and both layers' states are one tensor."""

    SIZES = (2 * 5, 8, 1 * 8, 6)
    """Of the past of a convolution and the state of a layer, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Conv1d(5, 7, 3)
        self.first = nn.GRU(7, 8, batch_first=True)
        self.between = nn.Conv1d(8, 4, 2)
        self.second = nn.GRU(4, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        past, one, middle, two = torch.split(cache, list(self.SIZES), 1)
        frames = torch.cat([past.reshape(-1, 2, 5), x], 1)
        y = torch.relu(self.front(frames.transpose(1, 2))).transpose(1, 2)
        y, one = self.first(y, one.unsqueeze(0))
        pair = torch.cat([middle.unsqueeze(1), y], 1)
        z = torch.tanh(self.between(pair.transpose(1, 2))).transpose(1, 2)
        z, two = self.second(z, two.unsqueeze(0))
        kept = [frames[:, 1:].flatten(1), one.squeeze(0), y.squeeze(1), two.squeeze(0)]
        return self.head(z), torch.cat(kept, 1)


class Regressor(nn.Module):
    """What people save as a state dict: batch norm and three linear layers on the last step."""

    HEAD = "last,batchnorm,linear,relu,linear,relu,linear"

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 8, num_layers=2, batch_first=True)
        self.bn = nn.BatchNorm1d(8)
        self.fc1 = nn.Linear(8, 12)
        self.fc2 = nn.Linear(12, 6)
        self.fc3 = nn.Linear(6, 2)
        for statistic in (self.bn.running_mean, self.bn.running_var):
            assert statistic is not None
            statistic.uniform_(0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn(self.gru(x)[0][:, -1])
        y = torch.relu(self.fc2(torch.relu(self.fc1(y))))
        answered: Tensor = self.fc3(y)
        return answered


def export(
    module: nn.Module,
    *inputs: Tensor,
    names: tuple[str, ...] = ("x",),
    outputs: tuple[str, ...] = ("y",),
    axes: Mapping[str, Mapping[int, str]] | None = None,
) -> bytes:
    """An ONNX file by torch's older exporter, which most files come from."""
    module.eval()
    file = io.BytesIO()
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module,
                inputs,
                cast(Any, file),
                input_names=names,
                output_names=outputs,
                dynamic_axes={name: dict(one) for name, one in (axes or {}).items()},
                opset_version=17,
                dynamo=False,
            )
    finally:
        quiet.setLevel(level)
    return file.getvalue()


def write_all(folder: Path) -> dict[str, Path]:
    """Every model above as a file by name."""
    torch.manual_seed(0)
    x, free = torch.randn(2, 7, 3), {"x": BATCH_AND_TIME}
    streaming: dict[str, Any] = {
        "names": ("x", "conv", "one", "two"),
        "outputs": ("y", "conv_out", "one_out", "two_out"),
    }
    zeros = (torch.zeros(1, 2, 2, 9), torch.zeros(1, 1, 8), torch.zeros(1, 1, 6))
    conditioned = {"x": BATCH_AND_TIME, "speaker": {0: "batch"}}
    models = {
        "windowed": export(Windowed(), x, axes={"x": {0: "batch"}}),
        "bidirectional": export(Bidirectional(), x, axes=free),
        "differences": export(Differences(), x, axes=free),
        "narrowed": export(Narrowed(), x, axes=free),
        "causal": export(Convolved(causal=True), x, axes=free),
        "ahead": export(Convolved(causal=False), x, axes=free),
        "conditioned": export(
            Conditioned(), x, torch.randn(2, 4), names=("x", "speaker"), axes=conditioned
        ),
        "lanes": export(Lanes(), torch.randn(2, 7, 9), axes=free),
        "streaming": export(Streaming(), torch.randn(1, 9, 1, 2), *zeros, **streaming),
    }
    files = {}
    for name, content in models.items():
        files[name] = folder / f"{name}.onnx"
        files[name].write_bytes(content)
    return files
