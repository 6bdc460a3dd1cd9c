"""What mixes time steps: convolutions, pools, differences, sums, norms, shifts."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.variety.onnx_models.case import Case, Refused, Sessions, Whole
from tests.variety.onnx_models.exported import BOTH, OLD, Net, Run, exported
from tests.variety.onnx_models.topics.parts import causal, gru, over_time, with_head


def cases() -> Iterator[Case]:
    yield from _convolutions()
    yield from _ahead()
    yield from _strided()
    yield from _pools()
    yield from _shifts()
    yield from _sums_and_norms()


def _convolutions() -> Iterator[Case]:
    for name, run, convolution in (
        ("padded before", lambda m, x: m.convolution(causal(x, 2)), lambda: nn.Conv1d(3, 3, 3)),
        (
            "padded and cut",
            lambda m, x: m.convolution(x)[:, :, :-2],
            lambda: nn.Conv1d(3, 3, 3, padding=2),
        ),
        (
            "dilated",
            lambda m, x: m.convolution(x)[..., :-8],
            lambda: nn.Conv1d(3, 3, 3, padding=8, dilation=4),
        ),
        (
            "of each feature alone",
            lambda m, x: m.convolution(causal(x, 4)),
            lambda: nn.Conv1d(3, 3, 5, groups=3),
        ),
        (
            "padded with ones",
            lambda m, x: m.convolution(causal(x, 2, 1.0)),
            lambda: nn.Conv1d(3, 3, 3),
        ),
        ("of one step", lambda m, x: m.convolution(x), lambda: nn.Conv1d(3, 3, 1)),
        ("not padded", lambda m, x: m.convolution(x), lambda: nn.Conv1d(3, 3, 3)),
    ):
        yield from exported(
            f"a convolution, {name}",
            partial(_convolved, run, convolution),
            Sessions(3) if name == "not padded" else Sessions(),
            by=(*BOTH, "old 9", "old 11") if name == "padded before" else BOTH,
        )
    yield from exported(
        "a convolution divided by the steps that are there",
        lambda: with_head(_known_part, convolution=nn.Conv1d(3, 3, 3)),
        Sessions(),
    )
    yield from exported(
        "an activation between the padding and the convolution",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(m.convolution(torch.cos(causal(x.transpose(1, 2), 2))).transpose(1, 2))[0]
            ),
            convolution=nn.Conv1d(3, 3, 3),
        ),
        Whole(("Cos", "padding"), could_step=True),
    )
    yield from exported(
        "a step cut off by a negative padding",
        lambda: with_head(lambda m, x: m.head(m.gru(functional.pad(x, (0, 0, -1, 0)))[0])),
        Refused(("'y'", "length"), could_step=True),
    )
    yield from exported(
        "temporal convolutions with residuals",
        lambda: with_head(
            lambda m, x: m.head(m.gru(m.two(m.one(x.transpose(1, 2))).transpose(1, 2))[0]),
            one=_residual(3, 1),
            two=_residual(3, 2),
        ),
        Sessions(),
    )
    yield from exported(
        "a convolution behind the GRU",
        lambda: with_head(
            lambda m, x: m.head(
                over_time(m.convolution, functional.pad(m.gru(x)[0], (0, 0, 3, 0)))
            ),
            convolution=nn.Conv1d(8, 8, 4),
        ),
        Sessions(),
    )
    yield from exported(
        "a convolution and the last step",
        lambda: with_head(
            lambda m, x: m.head(m.gru(over_time(m.convolution, x)[:, :-2])[0][:, -1]),
            convolution=nn.Conv1d(3, 3, 3, padding=2),
        ),
        Sessions(),
        output="B 2",
    )
    yield from exported(
        "a convolution over time and frequency",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(
                    m.convolution(functional.pad(x[:, None], (1, 1, 2, 0)))
                    .transpose(1, 2)
                    .flatten(2)
                )[0]
            ),
            convolution=nn.Conv2d(1, 2, (3, 3)),
            gru=gru(18, 8),
        ),
        Sessions(),
        inputs={"x": "B T 9"},
    )
    yield from exported(
        "a convolution over time and frequency, padded one after the other",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(
                    m.convolution(functional.pad(x[:, None], (0, 0, 2, 0)))
                    .transpose(1, 2)
                    .flatten(2)
                )[0]
            ),
            convolution=nn.Conv2d(1, 2, (3, 3), padding=(0, 1), stride=(1, 2)),
            gru=gru(10, 8),
        ),
        Sessions(),
        inputs={"x": "B T 9"},
    )
    yield from exported(
        "an encoder and a decoder over frequency",
        lambda: with_head(
            _unet,
            down=nn.Conv2d(1, 4, (2, 3), stride=(1, 2)),
            gru=gru(16, 16),
            up=nn.ConvTranspose2d(8, 1, (1, 3), stride=(1, 2)),
        ),
        Sessions(),
        inputs={"x": "B T 9"},
        output="B T 9",
    )
    yield from exported(
        "three convolutions, each twice as far apart",
        lambda: with_head(
            _dilated, **{f"c{at}": nn.Conv1d(3, 3, 2, dilation=2**at) for at in range(4)}
        ),
        Sessions(),
    )


def _convolved(run: Run, convolution: Callable[[], nn.Module]) -> nn.Module:
    """`run` on [B, F, T] before the GRU."""
    return with_head(
        lambda m, x: m.head(m.gru(run(m, x.transpose(1, 2)).transpose(1, 2))[0]),
        convolution=convolution(),
    )


def _known_part(m: Net, x: Tensor) -> Tensor:
    """A convolution divided by how many of the steps that it sees are there."""
    ones = torch.ones_like(x[..., :1]).transpose(1, 2)
    seen = functional.conv1d(causal(ones, 2), torch.ones(1, 1, 3))
    y = m.convolution(causal(x.transpose(1, 2), 2)) / seen
    made: Tensor = m.head(m.gru(y.transpose(1, 2))[0])
    return made


def _residual(channels: int, dilation: int) -> nn.Module:
    return Net(
        lambda m, x: x + torch.relu(m.convolution(causal(x, 2 * dilation))),
        convolution=nn.Conv1d(channels, channels, 3, dilation=dilation),
    )


def _dilated(m: Net, x: Tensor) -> Tensor:
    y = x.transpose(1, 2)
    for at in range(4):
        y = torch.tanh(getattr(m, f"c{at}")(causal(y, 2**at)))
    made: Tensor = m.head(m.gru(y.transpose(1, 2))[0])
    return made


def _unet(m: Net, x: Tensor) -> Tensor:
    down = torch.relu(m.down(functional.pad(x[:, None], (0, 0, 1, 0))))
    B, channels, T, F = down.shape
    inside = m.gru(down.transpose(1, 2).reshape(B, T, channels * F))[0]
    both = torch.cat([down, inside.reshape(B, T, channels, F).transpose(1, 2)], 1)
    return torch.sigmoid(m.up(both))[:, 0] * x


def _ahead() -> Iterator[Case]:
    ahead = {
        "two steps ahead": (lambda: nn.Conv1d(3, 3, 5, padding=2), 2),
        "one step ahead, dilated": (lambda: nn.Conv1d(3, 3, 3, padding=2, dilation=2), 2),
    }
    for name, (convolution, steps) in ahead.items():
        make = partial(_convolved, lambda m, x: m.convolution(x), convolution)
        yield from exported(f"a convolution that looks {name}", make, Refused(("--delay",)), by=OLD)
        yield from exported(
            f"a convolution that looks {name}, allowed",
            make,
            Sessions(steps + 1, steps),
            options={"delay": steps},
        )
    yield from exported(
        "a residual around what looks ahead",
        lambda: with_head(
            lambda m, x: m.head((y := m.gru(x)[0]) + over_time(m.convolution, y)),
            convolution=nn.Conv1d(8, 8, 3, padding=1),
        ),
        Sessions(2, 1),
        options={"delay": 1},
    )
    yield from exported(
        "the input joined to what looks ahead",
        lambda: with_head(
            lambda m, x: m.head(m.gru(torch.cat([x, over_time(m.convolution, x)], -1))[0]),
            convolution=nn.Conv1d(3, 3, 3, padding=1),
            gru=gru(6, 8),
        ),
        Sessions(2, 1),
        options={"delay": 3},
    )
    yield from exported(
        "a last step that looks ahead",
        lambda: with_head(
            lambda m, x: m.head(m.gru(over_time(m.convolution, x))[0][:, -1]),
            convolution=nn.Conv1d(3, 3, 3, padding=1),
        ),
        Whole(("looks ahead",)),
        output="B 2",
        options={"delay": 1},
    )
    yield from exported(
        "the next input",
        lambda: with_head(
            lambda m, x: m.head(m.gru(functional.pad(x, (0, 0, 0, 1))[:, 1:] + x)[0])
        ),
        Sessions(2, 1),
        options={"delay": 1},
    )


def _strided() -> Iterator[Case]:
    yield from exported(
        "a convolution that moves two steps at a time",
        lambda: with_head(
            lambda m, x: m.head(m.gru(over_time(m.convolution, x))[0]),
            convolution=nn.Conv1d(3, 3, 3, stride=2, padding=1),
        ),
        Refused(("'y'", "length")),
    )
    yield from exported(
        "half the steps and the last one",
        lambda: with_head(
            lambda m, x: m.head(m.gru(over_time(m.convolution, x))[0][:, -1]),
            convolution=nn.Conv1d(3, 3, 3, stride=2, padding=1),
        ),
        Whole(("2 steps at a time", "Conv")),
        output="B 2",
    )
    yield from exported(
        "every second step",
        lambda: with_head(lambda m, x: m.head(m.gru(x[:, ::2])[0][:, -1])),
        Whole(("leaves steps out",)),
        output="B 2",
    )
    yield from exported(
        "half the steps and back",
        lambda: with_head(
            lambda m, x: m.head(over_time(m.up, m.gru(over_time(m.down, x))[0])),
            down=nn.Conv1d(3, 3, 1, stride=2),
            up=nn.ConvTranspose1d(8, 8, 2, stride=2),
        ),
        Refused(("'y'", "length")),
    )
    yield from exported(
        "steps joined in pairs",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x.reshape(x.size(0), -1, 6))[0]), gru=gru(6, 8)
        ),
        Refused(("--time-axis",)),
        inputs={"x": "B T=8 3"},
        output="B T=4 2",
    )


def _pools() -> Iterator[Case]:
    yield from exported(
        "the mean of the last three inputs",
        lambda: with_head(
            lambda m, x: m.head(m.gru(over_time(m.pool, functional.pad(x, (0, 0, 2, 0))))[0]),
            pool=nn.AvgPool1d(3, 1),
        ),
        Sessions(),
    )
    yield from exported(
        "the largest of the last three inputs",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(over_time(m.pool, functional.pad(x, (0, 0, 2, 0), value=-1e9)))[0]
            ),
            pool=nn.MaxPool1d(3, 1),
        ),
        Sessions(),
    )
    yield from exported(
        "pools that pad",
        lambda: with_head(
            lambda m, x: m.head(m.gru(over_time(m.pool, x))[0]), pool=nn.MaxPool1d(3, 1, 1)
        ),
        Refused(("MaxPool", "float64"), could_step=True),
    )
    yield from exported(
        "pools over frequency",
        lambda: with_head(
            lambda m, x: m.head(m.gru(m.pool(x[:, None])[:, 0])[0]),
            pool=nn.MaxPool2d((1, 3)),
        ),
        Sessions(),
        inputs={"x": "B T 9"},
    )


def _shifts() -> Iterator[Case]:
    yield from exported(
        "differences",
        lambda: with_head(lambda m, x: m.head(m.gru(x[:, 1:] - x[:, :-1])[0])),
        Sessions(2),
    )
    yield from exported(
        "differences of the first with zero",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x - functional.pad(x, (0, 0, 1, 0))[:, :-1])[0])
        ),
        Sessions(),
    )
    yield from exported(
        "differences beside the inputs",
        lambda: with_head(
            lambda m, x: m.head(m.gru(torch.cat([x[:, 1:], x[:, 1:] - x[:, :-1]], -1))[0]),
            gru=gru(6, 8),
        ),
        Sessions(2),
    )
    yield from exported(
        "differences of differences",
        lambda: with_head(
            lambda m, x: m.head(m.gru((d := x[:, 1:] - x[:, :-1])[:, 1:] - d[:, :-1])[0])
        ),
        Sessions(3),
    )
    yield from exported(
        "differences and the last step",
        lambda: with_head(lambda m, x: m.head(m.gru(x[:, 1:] - x[:, :-1])[1][0])),
        Sessions(2),
        output="B 2",
    )
    yield from exported(
        "a zero put before the sequence",
        lambda: with_head(
            lambda m, x: m.head(m.gru(torch.cat([x.new_zeros(x.size(0), 1, 3), x], 1)[:, :-1])[0])
        ),
        Whole(("Concat",), could_step=True),
    )
    yield from exported(
        "a token put before the sequence",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(torch.cat([m.first.expand(x.size(0), -1, -1), x], 1)[:, :-1])[0]
            ),
            first=torch.randn(1, 1, 3),
        ),
        Whole(("Concat",), could_step=True),
    )
    yield from exported(
        "the states before beside those after",
        lambda: with_head(
            lambda m, x: m.head((y := m.gru(x)[0]) - functional.pad(y, (0, 0, 1, 0))[:, :-1])
        ),
        Sessions(),
    )
    yield from exported(
        "the first step left out of the answer",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0][:, 1:])),
        Sessions(2),
    )
    yield from exported(
        "the last step left out of the answer",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0][:, :-1])),
        Sessions(),
    )
    yield from exported(
        "run backwards",
        lambda: with_head(lambda m, x: m.head(m.gru(x.flip(1))[0].flip(1))),
        Whole(("backwards",)),
    )
    yield from exported(
        "rolled",
        lambda: with_head(lambda m, x: m.head(m.gru(x.roll(1, 1))[0])),
        Whole(("Concat",)),
    )
    yield from exported(
        "the first ten steps",
        lambda: with_head(lambda m, x: m.head(m.gru(x[:, :10])[0][:, -1])),
        Whole(("first steps",)),
        output="B 2",
    )
    yield from exported(
        "a lag of each feature",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(
                    torch.cat(
                        [
                            causal(x.transpose(1, 2), lag)[..., : x.size(1)].transpose(1, 2)
                            for lag in (0, 1, 3)
                        ],
                        -1,
                    )
                )[0]
            ),
            gru=gru(9, 8),
        ),
        Sessions(),
    )


def _sums_and_norms() -> Iterator[Case]:
    yield from exported(
        "a running sum",
        lambda: with_head(lambda m, x: m.head(m.gru(x.cumsum(1) / 10)[0])),
        Sessions(),
    )
    yield from exported(
        "a running mean",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x.cumsum(1) / torch.ones_like(x[..., :1]).cumsum(1))[0])
        ),
        Sessions(),
    )
    yield from exported(
        "a running mean by an arange",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(x.cumsum(1) / torch.arange(1, x.size(1) + 1)[None, :, None])[0]
            )
        ),
        Whole(("Range",), could_step=True),
    )
    yield from exported(
        "a sum from the end",
        lambda: with_head(lambda m, x: m.head(m.gru(x.flip(1).cumsum(1).flip(1))[0])),
        Whole(("backwards",)),
    )
    yield from exported(
        "the largest so far",
        lambda: with_head(lambda m, x: m.head(m.gru(x.cummax(1)[0])[0])),
        Whole(("time",), could_step=True),
        by=(),
    )
    yield from exported(
        "the mean over time taken away",
        lambda: with_head(lambda m, x: m.head(m.gru(x - x.mean(1, keepdim=True))[0])),
        Whole(("ReduceMean", "time")),
    )
    yield from exported(
        "instance norm over time",
        lambda: with_head(
            lambda m, x: m.head(m.gru(over_time(m.norm, x))[0]),
            norm=nn.InstanceNorm1d(3, affine=True),
        ),
        Whole(("InstanceNormalization",)),
    )
    yield from exported(
        "group norm over time",
        lambda: with_head(
            lambda m, x: m.head(over_time(m.norm, m.gru(x)[0])), norm=nn.GroupNorm(2, 8)
        ),
        Whole(("time",)),
    )
    yield from exported(
        "group norm inside a frame",
        lambda: with_head(
            lambda m, x: m.head(m.norm(m.gru(x)[0].flatten(0, 1)).unflatten(0, x.shape[:2])),
            norm=nn.GroupNorm(2, 8),
        ),
        Sessions(),
    )
    yield from exported(
        "layer norm over time",
        lambda: with_head(
            lambda m, x: m.head(over_time(m.norm, m.gru(x)[0])), norm=nn.LayerNorm(7)
        ),
        Whole(("LayerNormalization", "time")),
        inputs={"x": "B T=7 3"},
        output="B T=7 2",
    )
    yield from exported(
        "a dense layer over time",
        lambda: with_head(lambda m, x: m.head(over_time(m.mix, m.gru(x)[0])), mix=nn.Linear(7, 7)),
        Whole(("sums over the steps",)),
        inputs={"x": "B T=7 3"},
        output="B T=7 2",
    )
    yield from exported(
        "a smoothing matrix over time",
        lambda: with_head(
            lambda m, x: m.head(m.gru(torch.einsum("st,btf->bsf", m.mix.tril(), x))[0]),
            mix=torch.randn(7, 7),
        ),
        Refused(("Einsum", "--time-axis"), could_step=True),
        inputs={"x": "B T=7 3"},
        output="B T=7 2",
    )
    yield from exported(
        "sorted over time",
        lambda: with_head(lambda m, x: m.head(m.gru(x.topk(3, 1)[0])[0][:, -1])),
        Refused(("TopK", "--time-axis")),
        inputs={"x": "B T=7 3"},
        output="B 2",
    )
