"""nn.GRU as it is: layers, widths, and what stands before, between and behind it."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tests.variety.onnx_models.case import Case, Refused, Sessions, Whole
from tests.variety.onnx_models.exported import BOTH, NEW, OLD, Net, exported
from tests.variety.onnx_models.topics.parts import gru, over_time, with_head

TOKENS: dict[str, Any] = {"inputs": {"x": "B T"}, "tokens": 11}


def cases() -> Iterator[Case]:
    yield from _layers()
    yield from _before_and_behind()
    yield from _tokens()
    yield from _other_recurrences()
    yield from _precision()


def _layers() -> Iterator[Case]:
    yield from exported(
        "one layer",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0])),
        Sessions(),
        by=(*BOTH, "old 9", "old 10", "old 11", "old 13", "old 15", "old 20", "new 20", "new 23"),
    )
    yield from exported(
        "three layers",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0]), gru=gru(3, 8, 3)),
        Sessions(),
        by=(*BOTH, "old 9", "new 22"),
    )
    yield from exported(
        "layers of different widths",
        lambda: with_head(
            lambda m, x: m.head(m.c(m.b(m.a(x)[0])[0])[0]), a=gru(3, 9), b=gru(9, 5), c=gru(5, 8)
        ),
        Sessions(),
    )
    yield from exported(
        "time first",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0]), gru=nn.GRU(3, 8, 2)),
        Sessions(),
        inputs={"x": "T B 3"},
        output="T B 2",
    )
    yield from exported(
        "no biases",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0]), gru=gru(3, 8, 2, bias=False)),
        Sessions(),
    )
    yield from exported(
        "both ways",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x)[0]),
            gru=gru(3, 8, bidirectional=True),
            head=nn.Linear(16, 2),
        ),
        Whole(("bidirectional", "GRU")),
    )
    yield from exported(
        "two layers beside each other",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0] * m.other(x)[0]), other=gru(3, 8)),
        Sessions(),
    )
    yield from exported(
        "one layer run twice",
        lambda: with_head(
            lambda m, x: m.head(m.again(m.again(m.gru(x)[0])[0])[0]), again=gru(8, 8)
        ),
        Sessions(),
    )
    yield from exported(
        "no head",
        lambda: with_head(lambda m, x: m.gru(x)[0]),
        Sessions(),
        output="B T 8",
    )
    yield from exported(
        "every state beside the last one",
        lambda: with_head(lambda m, x: m.gru(x)),
        Sessions(),
        output="B T 8",
        outputs=("y", "h"),
    )


def _before_and_behind() -> Iterator[Case]:
    yield from exported(
        "a residual around each layer",
        lambda: with_head(
            lambda m, x: m.head((y := m.up(x)) + m.gru(y)[0] + m.other(y + m.gru(y)[0])[0]),
            up=nn.Linear(3, 8),
            gru=gru(8, 8),
            other=gru(8, 8),
        ),
        Sessions(),
    )
    yield from exported(
        "batch norm over features",
        lambda: with_head(
            lambda m, x: m.head(over_time(m.norm, m.gru(over_time(m.first, x))[0])),
            first=nn.BatchNorm1d(3),
            norm=nn.BatchNorm1d(8),
        ),
        Sessions(),
    )
    yield from exported(
        "layer norm between layers",
        lambda: with_head(
            lambda m, x: m.head(m.b(m.norm(m.a(x)[0]))[0]),
            a=gru(3, 6),
            norm=nn.LayerNorm(6),
            b=gru(6, 8),
        ),
        Sessions(),
    )
    yield from exported(
        "RMS norm",
        lambda: with_head(lambda m, x: m.head(m.norm(m.gru(x)[0])), norm=nn.RMSNorm(8)),
        Sessions(),
        by=(*NEW, "new 23"),
    )
    yield from exported(
        "dropout everywhere",
        lambda: with_head(
            lambda m, x: m.head(m.drop(m.gru(m.drop(x))[0])),
            gru=gru(3, 8, 2, dropout=0.4),
            drop=nn.Dropout(0.3),
        ),
        Sessions(),
    )
    yield from exported(
        "dropout while training",
        lambda: with_head(lambda m, x: m.head(m.drop(m.gru(x)[0])), drop=nn.Dropout(0.3)),
        Refused(("Dropout",)),
        by=("old 17",),
        training=True,
    )
    yield from exported(
        "batch norm while training",
        lambda: with_head(
            lambda m, x: m.head(over_time(m.norm, m.gru(x)[0])), norm=nn.BatchNorm1d(8)
        ),
        Refused(("BatchNormalization",)),
        by=("old 17",),
        training=True,
    )
    for name, activation in _ACTIVATIONS.items():
        yield from exported(
            f"activation {name}",
            partial(_activated, activation),
            Sessions(),
            by=BOTH if name in ("GELU", "Softmax") else OLD,
        )
    yield from exported(
        "gated linear unit",
        lambda: with_head(
            lambda m, x: m.head(functional.glu(m.wide(m.gru(x)[0]), -1)), wide=nn.Linear(8, 16)
        ),
        Sessions(),
    )
    yield from exported(
        "gate by chunks",
        lambda: with_head(
            lambda m, x: m.head(torch.cat([a * b for a, b in [m.gru(x)[0].chunk(2, -1)]], -1)),
            head=nn.Linear(4, 2),
        ),
        Sessions(),
    )
    yield from exported(
        "mixture of experts",
        lambda: with_head(
            lambda m, x: torch.einsum(
                "bte,bteo->bto",
                m.gate(y := m.gru(x)[0]).softmax(-1),
                m.experts(y).unflatten(-1, (4, 2)),
            ),
            gate=nn.Linear(8, 4),
            experts=nn.Linear(8, 8),
        ),
        Sessions(),
    )
    yield from exported(
        "normalised inputs and outputs",
        lambda: with_head(
            lambda m, x: m.head(m.gru((x - m.mean) / m.scale)[0]) * 1000 + 400,
            mean=torch.tensor([0.5, -1.0, 2.0]),
            scale=torch.tensor([1.5, 2.0, 0.5]),
        ),
        Sessions(),
    )


def _activated(activation: Callable[[], nn.Module]) -> nn.Module:
    return with_head(lambda m, x: m.head(m.act(m.gru(m.act(x))[0])), act=activation())


_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "GELU": nn.GELU,
    "SiLU": nn.SiLU,
    "ELU": nn.ELU,
    "Mish": nn.Mish,
    "PReLU": nn.PReLU,
    "Hardswish": nn.Hardswish,
    "Softmax": lambda: nn.Softmax(-1),
    "LogSigmoid": nn.LogSigmoid,
    "Hardtanh": nn.Hardtanh,
}


def _tokens() -> Iterator[Case]:
    yield from exported(
        "embedding",
        lambda: with_head(
            lambda m, x: m.head(m.gru(m.table(x))[0]), table=nn.Embedding(11, 3, padding_idx=0)
        ),
        Sessions(),
        **TOKENS,
    )
    yield from exported(
        "embedding and probabilities of the next token",
        lambda: with_head(
            lambda m, x: m.head(m.gru(m.table(x))[0]).softmax(-1),
            table=nn.Embedding(11, 3),
            head=nn.Linear(8, 11),
        ),
        Sessions(),
        output="B T 11",
        **TOKENS,
    )
    yield from exported(
        "tied embedding",
        lambda: with_head(
            lambda m, x: m.gru(m.table(x))[0] @ m.table.weight.t(),
            gru=gru(8, 8),
            table=nn.Embedding(11, 8),
        ),
        Sessions(),
        output="B T 11",
        **TOKENS,
    )
    yield from exported(
        "one hot tokens",
        lambda: with_head(
            lambda m, x: m.head(m.gru(functional.one_hot(x, 11).float())[0]), gru=gru(11, 8)
        ),
        Refused(("'x'", "table"), could_step=True),
        **TOKENS,
    )
    yield from exported(
        "two tokens a step",
        lambda: with_head(
            lambda m, x: m.head(m.gru(m.table(x).flatten(2))[0]),
            table=nn.Embedding(11, 3),
            gru=gru(6, 8),
        ),
        Refused(("'x'", "tokens"), could_step=True),
        inputs={"x": "B T 2"},
        tokens=11,
    )
    yield from exported(
        "the token before beside each token",
        lambda: with_head(
            lambda m, x: m.head(m.gru(m.table(x) + m.table(functional.pad(x, (1, 0))[:, :-1]))[0]),
            table=nn.Embedding(11, 3),
        ),
        Sessions(),
        **TOKENS,
    )


def _other_recurrences() -> Iterator[Case]:
    yield from exported(
        "an LSTM before the GRU",
        lambda: with_head(
            lambda m, x: m.head(m.gru(m.lstm(x)[0])[0]), lstm=nn.LSTM(3, 3, batch_first=True)
        ),
        Whole(("LSTM",), could_step=True),
    )
    yield from exported(
        "an LSTM behind the GRU",
        lambda: with_head(
            lambda m, x: m.head(m.lstm(m.gru(x)[0])[0]), lstm=nn.LSTM(8, 8, batch_first=True)
        ),
        Whole(("LSTM",), could_step=True),
    )
    yield from exported(
        "a plain recurrence before the GRU",
        lambda: with_head(
            lambda m, x: m.head(m.gru(m.rnn(x)[0])[0]), rnn=nn.RNN(3, 3, batch_first=True)
        ),
        Whole(("RNN",), could_step=True),
        by=OLD,
    )
    yield from exported(
        "an LSTM alone",
        lambda: Net(
            lambda m, x: m.head(m.lstm(x)[0]),
            lstm=nn.LSTM(3, 8, batch_first=True),
            head=nn.Linear(8, 2),
        ),
        Refused(("LSTM", "no GRU node")),
    )
    yield from exported(
        "no recurrence",
        lambda: Net(lambda m, x: m.head(x), head=nn.Linear(3, 2)),
        Refused(("no recurrence",)),
    )
    yield from exported(
        "an unrolled cell",
        lambda: Net(_unrolled, cell=nn.GRUCell(3, 8), head=nn.Linear(8, 2)),
        Refused(("unrolled", "GRUCell")),
        inputs={"x": "B T=7 3"},
        output="B T=7 2",
    )


def _unrolled(m: Net, x: torch.Tensor) -> torch.Tensor:
    hidden = x.new_zeros(x.size(0), 8)
    steps = []
    for t in range(7):
        hidden = m.cell(x[:, t], hidden)
        steps.append(hidden)
    made: torch.Tensor = m.head(torch.stack(steps, 1))
    return made


def _precision() -> Iterator[Case]:
    for dtype in (torch.float16, torch.float64):
        yield from exported(
            f"weights of {str(dtype).removeprefix('torch.')}",
            lambda: with_head(lambda m, x: m.head(m.gru(x)[0])),
            Sessions(),
            dtype=dtype,
            louder=1.0,
        )
    yield from exported(
        "computed in float64 inside",
        lambda: with_head(lambda m, x: m.head(m.gru((x.double() * 0.1).float())[0])),
        Sessions(),
    )
