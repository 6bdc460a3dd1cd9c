"""Where the batch and the time are, and how axes are moved, folded and cut."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from model_export.rewrite.roles import Hints
from tests.variety.onnx_models.case import Case, Refused, Sessions, Whole
from tests.variety.onnx_models.exported import BOTH, Net, exported
from tests.variety.onnx_models.topics.parts import gru, with_head


def cases() -> Iterator[Case]:
    yield from _inputs()
    yield from _inside()
    yield from _lanes()


def _inputs() -> Iterator[Case]:
    yield from exported(
        "features before time",
        lambda: with_head(lambda m, x: m.head(m.gru(x.transpose(1, 2))[0]).transpose(1, 2)),
        Sessions(),
        inputs={"x": "B 3 T"},
        output="B 2 T",
    )
    yield from exported(
        "features first",
        lambda: with_head(lambda m, x: m.head(m.gru(x.permute(2, 1, 0))[0])),
        Sessions(),
        inputs={"x": "3 T B"},
    )
    yield from exported(
        "a channel, time and frequency",
        lambda: with_head(lambda m, x: m.head(m.gru(x.squeeze(1))[0])),
        Sessions(),
        inputs={"x": "B 1 T 3"},
    )
    yield from exported(
        "an image of each step",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(torch.relu(m.convolution(x.flatten(0, 1))).reshape(x.size(0), x.size(1), 8))[
                    0
                ]
            ),
            convolution=nn.Conv2d(1, 2, 3, stride=2),
            gru=gru(8, 8),
        ),
        Sessions(),
        inputs={"x": "B T 1 5 5"},
    )
    yield from exported(
        "real and imaginary parts",
        lambda: with_head(
            lambda m, x: (
                m.head(m.gru(x.permute(0, 2, 1, 3).flatten(2))[0])
                .reshape(x.size(0), x.size(2), 9, 2)
                .permute(0, 2, 1, 3)
            ),
            gru=gru(18, 8),
            head=nn.Linear(8, 18),
        ),
        Sessions(),
        inputs={"x": "B 9 T 2"},
        output="B 9 T 2",
    )
    yield from exported(
        "one sequence without a batch",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0])),
        Refused(("GRU", "batch"), could_step=True),
        inputs={"x": "T 3"},
        output="T 2",
    )
    yield from exported(
        "a batch of one",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0]), gru=gru(3, 8, 2)),
        Sessions(),
        inputs={"x": "B=1 T 3"},
        output="B=1 T 2",
        batch=1,
        by=(*BOTH, "old 9"),
    )
    yield from exported(
        "a batch of one, time first",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0]), gru=nn.GRU(3, 8)),
        Sessions(),
        inputs={"x": "T B=1 3"},
        output="T B=1 2",
        batch=1,
    )
    yield from exported(
        "a batch of one, squeezed in between",
        lambda: with_head(lambda m, x: m.head(torch.tanh(m.gru(x)[0].squeeze(0))).unsqueeze(0)),
        Refused(("batch at 1",), could_step=True),
        inputs={"x": "B=1 T 3"},
        output="B=1 T 2",
        batch=1,
    )
    yield from exported(
        "a batch of one, both ways",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x)[0]),
            gru=gru(3, 8, bidirectional=True),
            head=nn.Linear(16, 2),
        ),
        Refused(("batch at 1",), could_step=False),
        inputs={"x": "B=1 T 3"},
        output="B=1 T 2",
        batch=1,
    )
    yield from exported(
        "a batch of three",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0])),
        Refused(("'x'", "--time-axis")),
        inputs={"x": "B=3 T 3"},
        output="B=3 T 2",
        batch=3,
    )
    yield from exported(
        "one number at each step",
        lambda: with_head(lambda m, x: m.head(m.gru(x[..., None])[0]), gru=gru(1, 8)),
        Sessions(),
        inputs={"x": "B T"},
    )
    yield from exported(
        "one number and a batch of one",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0]), gru=gru(1, 8)),
        Sessions(),
        inputs={"x": "B=1 T 1"},
        output="B=1 T 2",
        batch=1,
    )
    yield from exported(
        "one number and a batch of one, time first",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0]), gru=nn.GRU(1, 8)),
        Sessions(),
        inputs={"x": "T B=1 1"},
        output="T B=1 2",
        batch=1,
    )
    yield from exported(
        "the time said by the user",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0])),
        Sessions(),
        hints=Hints(time_axis=1),
    )
    yield from exported(
        "the wrong time said by the user",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0])),
        Refused(("'x'",)),
        hints=Hints(time_axis=2),
    )
    yield from exported(
        "open features",
        lambda: with_head(lambda m, x: m.head(m.gru(x.mean(-1, keepdim=True))[0]), gru=gru(1, 8)),
        Refused(("'x'",)),
        inputs={"x": "B T T"},
        by=(),
    )
    yield from exported(
        "an input that is not there",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0])),
        Refused(("'missing'", "'x'")),
        hints=Hints(input="missing"),
        by=("old 17",),
    )


def _inside() -> Iterator[Case]:
    yield from exported(
        "a head on all steps at once",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x)[0].reshape(-1, 8)).reshape(x.size(0), -1, 2)
        ),
        Sessions(),
    )
    yield from exported(
        "a head on all steps at once, by the lengths",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x)[0].reshape(x.size(0) * x.size(1), 8)).view(
                x.size(0), x.size(1), 2
            )
        ),
        Sessions(),
    )
    yield from exported(
        "batch and time exchanged by a reshape",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x.reshape(x.size(1), x.size(0), 3))[0]).reshape(
                x.size(0), x.size(1), 2
            )
        ),
        Refused(("Reshape",)),
    )
    yield from exported(
        "time first inside",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x.transpose(0, 1))[0]).transpose(0, 1), gru=nn.GRU(3, 8)
        ),
        Sessions(),
    )
    yield from exported(
        "time first inside, and the last by its place",
        lambda: with_head(lambda m, x: m.head(m.gru(x.transpose(0, 1))[0][-1]), gru=nn.GRU(3, 8)),
        Sessions(),
        output="B 2",
    )
    yield from exported(
        "the batch as the time by mistake",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0]), gru=nn.GRU(3, 8)),
        Sessions(),
        inputs={"x": "T B 3"},
        output="T B 2",
    )
    yield from exported(
        "features in another order",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x[..., [2, 0, 1]])[0].flip(-1).roll(2, -1)),
        ),
        Sessions(),
    )
    yield from exported(
        "features split and joined",
        lambda: with_head(
            lambda m, x: m.head(
                torch.stack(
                    [part.tanh() for part in m.gru(x)[0].split((2, 5, 1), -1)][:1] * 4, -1
                ).flatten(2)
            ),
        ),
        Sessions(),
    )
    yield from exported(
        "channels shuffled",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(x)[0].unflatten(-1, (2, 4)).transpose(2, 3).reshape(x.size(0), x.size(1), 8)
            )
        ),
        Sessions(),
    )
    yield from exported(
        "einsum instead of a head",
        lambda: with_head(
            lambda m, x: torch.einsum("bth,ho->bto", m.gru(x)[0], m.out), out=torch.randn(8, 2)
        ),
        Sessions(),
    )
    yield from exported(
        "einsum over time",
        lambda: with_head(
            lambda m, x: m.head(torch.einsum("bth,btk->bhk", m.gru(x)[0], x)[..., 0])
        ),
        Whole(("time",)),
        output="B 2",
        by=(),
    )
    yield from exported(
        "masked where the input is positive",
        lambda: with_head(
            lambda m, x: m.head(torch.where(x[..., :1] > 0, m.gru(x)[0], -m.gru(x.clamp(-1, 1))[0]))
        ),
        Sessions(),
    )
    yield from exported(
        "missing numbers replaced",
        lambda: with_head(
            lambda m, x: m.head(m.gru(torch.nan_to_num(x / x.abs().clamp(min=0.1)))[0])
        ),
        Sessions(),
    )
    yield from exported(
        "pairs of features multiplied",
        lambda: with_head(
            lambda m, x: m.head(m.gru((x[..., :, None] * x[..., None, :]).flatten(2))[0]),
            gru=gru(9, 8),
        ),
        Sessions(),
    )
    yield from exported(
        "attention over features inside a step",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(((y := m.up(x[..., None])) @ y.transpose(-1, -2)).softmax(-1).flatten(2))[0]
            ),
            up=nn.Linear(1, 4),
            gru=gru(9, 8),
        ),
        Sessions(),
    )
    yield from exported(
        "a part of a tensor set to zero in place",
        lambda: with_head(_set_in_place),
        Whole(("Range",), could_step=True),
        by=("old 17",),
    )


def _set_in_place(m: Net, x: Tensor) -> Tensor:
    y = m.gru(x)[0].clone()
    y[..., 0] = 0
    made: Tensor = m.head(y)
    return made


def _lanes() -> Iterator[Case]:
    lanes: dict[str, Any] = {"inputs": {"x": "B T 5"}, "output": "B T 5"}
    yield from exported(
        "a GRU through time in each band",
        lambda: with_head(_bands, gru=gru(1, 4), head=nn.Linear(4, 1)),
        Sessions(),
        **lanes,
    )
    yield from exported(
        "a GRU along frequency inside a step, both ways, and one through time",
        lambda: with_head(
            _dual_path,
            inside=gru(1, 3, bidirectional=True),
            join=nn.Linear(6, 1),
            gru=gru(1, 4),
            head=nn.Linear(4, 1),
        ),
        Sessions(),
        **lanes,
    )
    yield from exported(
        "a GRU along frequency alone",
        lambda: with_head(_inside_alone, gru=gru(1, 4), head=nn.Linear(4, 1)),
        Whole(("no GRU node behind",)),
        **lanes,
    )
    yield from exported(
        "an LSTM along frequency and a GRU through time",
        lambda: with_head(
            _dual_path,
            inside=nn.LSTM(1, 3, batch_first=True, bidirectional=True),
            join=nn.Linear(6, 1),
            gru=gru(1, 4),
            head=nn.Linear(4, 1),
        ),
        Sessions(),
        **lanes,
    )
    yield from exported(
        "two channels as rows of the batch",
        lambda: with_head(
            lambda m, x: (
                m.head(m.gru(x.transpose(1, 2).reshape(-1, x.size(1), 1))[0])
                .reshape(x.size(0), 3, x.size(1), 2)
                .mean(1)
            ),
            gru=gru(1, 8),
        ),
        Sessions(),
    )
    yield from exported(
        "lanes of a state that was learnt for each",
        lambda: with_head(
            lambda m, x: (
                m.head(
                    m.gru(
                        x.transpose(1, 2).reshape(-1, x.size(1), 1),
                        m.begin.repeat(1, x.size(0), 1),
                    )[0]
                )
                .reshape(x.size(0), 3, x.size(1), 2)
                .mean(1)
            ),
            gru=gru(1, 8),
            begin=torch.randn(1, 3, 8),
        ),
        Whole(("Tile",), could_step=True),
    )


def _bands(m: Net, x: Tensor) -> Tensor:
    B, T, F = x.shape
    y = m.gru(x.transpose(1, 2).reshape(B * F, T, 1))[0]
    made: Tensor = m.head(y).reshape(B, F, T).transpose(1, 2) * x
    return made


def _dual_path(m: Net, x: Tensor) -> Tensor:
    B, T, F = x.shape
    y = m.join(m.inside(x.reshape(B * T, F, 1))[0]).reshape(B, T, F)
    return _bands(m, x + y)


def _inside_alone(m: Net, x: Tensor) -> Tensor:
    B, T, F = x.shape
    made: Tensor = m.head(m.gru(x.reshape(B * T, F, 1))[0]).reshape(B, T, F)
    return made
