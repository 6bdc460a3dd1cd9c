"""What answers: every step, the last one, or something about all of them."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from model_export.rewrite.roles import Hints
from tests.variety.onnx_models.case import Case, Refused, Sessions, Whole, Window
from tests.variety.onnx_models.exported import BOTH, NEW, OLD, exported
from tests.variety.onnx_models.topics.parts import gru, headed, with_head

LAST: dict[str, Any] = {"output": "B 2"}
FIXED: dict[str, Any] = {"inputs": {"x": "B T=7 3"}}


def cases() -> Iterator[Case]:
    yield from _last_step()
    yield from _all_steps()
    yield from _fixed_windows()
    yield from _several()


def _last_step() -> Iterator[Case]:
    yield from exported(
        "the last step",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0][:, -1])),
        Sessions(),
        by=(*BOTH, "old 9", "old 13"),
        **LAST,
    )
    yield from exported(
        "the last state of two layers",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[1][-1]), gru=gru(3, 8, 2)),
        Sessions(),
        **LAST,
    )
    yield from exported(
        "the last states of all layers",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x)[1].transpose(0, 1).flatten(1)),
            gru=gru(3, 8, 2),
            head=nn.Linear(16, 2),
        ),
        Sessions(),
        **LAST,
    )
    yield from exported(
        "the last step in two ways",
        lambda: with_head(lambda m, x: m.head((y := m.gru(x))[0][:, -1] * y[1][0])),
        Sessions(),
        **LAST,
    )
    yield from exported(
        "the last step by a slice",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0][:, -1:, :]).squeeze(1)),
        Sessions(),
        **LAST,
    )
    yield from exported(
        "the last step by its number",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0][:, x.size(1) - 1])),
        Sessions(),
        **LAST,
    )
    yield from exported(
        "the last step and the last input",
        lambda: with_head(
            lambda m, x: m.head(torch.cat([m.gru(x)[1][0], x[:, -1]], 1)), head=nn.Linear(11, 2)
        ),
        Sessions(),
        **LAST,
    )
    yield from exported(
        "the last step and the one before",
        lambda: with_head(lambda m, x: m.head((y := m.gru(x)[0])[:, -1] - y[:, -2])),
        Whole(("step -2",), could_step=True),
        **LAST,
    )
    yield from exported(
        "the last three steps",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x)[0][:, -3:].flatten(1)), head=nn.Linear(24, 2)
        ),
        Whole(("last steps",), could_step=True),
        **LAST,
    )
    yield from exported(
        "the first step",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0][:, 0])),
        Whole(("step 0",)),
        **LAST,
    )
    yield from exported(
        "a classifier's logits, one number",
        lambda: with_head(
            lambda m, x: torch.sigmoid(m.head(m.gru(x)[1][-1])).squeeze(-1), head=nn.Linear(8, 1)
        ),
        Sessions(),
        output="B",
    )
    yield from exported(
        "a class by its number",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0]).argmax(-1)),
        Sessions(),
        output="B T",
        within=0.0,
    )
    yield from exported(
        "the last step between layers",
        lambda: with_head(
            lambda m, x: m.head(m.norm(torch.relu(m.middle(m.gru(x)[0][:, -1])))),
            middle=nn.Linear(8, 8),
            norm=nn.BatchNorm1d(8),
        ),
        Sessions(),
        **LAST,
    )


def _all_steps() -> Iterator[Case]:
    for name, pool, words in (
        ("the mean", lambda m, x: m.gru(x)[0].mean(1), "ReduceMean"),
        ("the largest", lambda m, x: m.gru(x)[0].amax(1), "ReduceMax"),
        ("the largest by its kernel", lambda m, x: m.gru(x)[0].max(1)[0], "along the time"),
        ("the sum", lambda m, x: m.gru(x)[0].sum(1), "ReduceSum"),
        (
            "adaptive pooling",
            lambda m, x: functional.adaptive_avg_pool1d(m.gru(x)[0].transpose(1, 2), 1)[..., 0],
            "GlobalAveragePool",
        ),
        ("the spread", lambda m, x: m.gru(x)[0].std(1), "along the time"),
    ):
        yield from exported(
            f"{name} over time",
            headed(pool),
            Whole((words,) if name != "adaptive pooling" else ("time",)),
            by=BOTH if name in ("the mean", "the largest by its kernel") else OLD,
            **LAST,
        )
    yield from exported(
        "attention over time",
        lambda: with_head(
            lambda m, x: m.head(((y := m.gru(x)[0]) * m.score(y).softmax(1)).sum(1)),
            score=nn.Linear(8, 1),
        ),
        Whole(("Softmax", "time")),
        **LAST,
    )
    yield from exported(
        "attention of the last step",
        lambda: with_head(
            lambda m, x: m.head(
                (torch.bmm(y := m.gru(x)[0], y[:, -1:].transpose(1, 2)).softmax(1) * y).sum(1)
            )
        ),
        Whole(("last step",)),
        **LAST,
    )
    yield from exported(
        "self attention",
        lambda: with_head(
            lambda m, x: m.head(m.attention(y := m.gru(x)[0], y, y, need_weights=False)[0]),
            attention=nn.MultiheadAttention(8, 2, batch_first=True),
        ),
        Whole(("MatMul",)),
        by=NEW,
    )
    yield from exported(
        "causal self attention",
        lambda: with_head(
            lambda m, x: m.head(
                functional.scaled_dot_product_attention(
                    y := m.gru(x)[0], m.key(y), m.value(y), is_causal=True
                )
            ),
            key=nn.Linear(8, 8),
            value=nn.Linear(8, 8),
        ),
        Whole(("MatMul",), could_step=True),
        by=("old 17", "new 18"),
    )
    yield from exported(
        "causal self attention as one operator",
        lambda: with_head(
            lambda m, x: m.head(
                functional.scaled_dot_product_attention(
                    y := m.gru(x)[0][:, None], y, y, is_causal=True
                )[:, 0]
            )
        ),
        Whole(("Attention",), could_step=True),
        by=("new 23",),
    )
    yield from exported(
        "softmax over time",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0].softmax(1))),
        Whole(("Softmax", "time")),
    )


def _fixed_windows() -> Iterator[Case]:
    yield from exported(
        "a window",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0][:, -1]), gru=gru(3, 8, 2)),
        Window(7),
        by=(*BOTH, "old 9"),
        **FIXED,
        **LAST,
    )
    yield from exported(
        "a window of all its steps",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0].flatten(1)), head=nn.Linear(56, 2)),
        Whole(("steps",), could_step=True),
        **FIXED,
        **LAST,
    )
    yield from exported(
        "a window of all its steps, asked for",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0].flatten(1)), head=nn.Linear(56, 2)),
        Window(7),
        options={"session": "window", "window": 7},
        **FIXED,
        **LAST,
    )
    yield from exported(
        "a window both ways, asked for",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x)[0][:, -1]),
            gru=gru(3, 8, bidirectional=True),
            head=nn.Linear(16, 2),
        ),
        Window(5),
        options={"session": "window", "window": 5},
        **LAST,
    )
    yield from exported(
        "a window of a mean, asked for",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0].mean(1))),
        Window(6),
        options={"session": "window", "window": 6},
        **LAST,
    )
    yield from exported(
        "a window that divides by its length, asked for",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0].sum(1) / x.size(1))),
        Window(6),
        options={"session": "window", "window": 6},
        **LAST,
    )
    yield from exported(
        "a window with positions of its steps",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x + m.place)[0][:, -1]), place=torch.randn(7, 3)
        ),
        Whole(("each of 7 steps",), could_step=True),
        hints=Hints(time_axis=1),
        **FIXED,
        **LAST,
    )
    yield from exported(
        "a window with positions of its steps, asked for",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x + m.place)[0][:, -1]), place=torch.randn(7, 3)
        ),
        Window(7),
        options={"session": "window"},
        hints=Hints(time_axis=1),
        **FIXED,
        **LAST,
    )
    yield from exported(
        "a window of one sequence",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0][:, -1])),
        Window(7),
        inputs={"x": "B=1 T=7 3"},
        output="B=1 2",
        batch=1,
    )
    yield from exported(
        "a window of tokens",
        lambda: with_head(
            lambda m, x: m.head(m.gru(m.table(x))[0][:, -1]), table=nn.Embedding(11, 3)
        ),
        Window(7),
        inputs={"x": "B T=7"},
        tokens=11,
        **LAST,
    )
    yield from exported(
        "a window of a state that was learnt",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x, m.begin.expand(-1, x.size(0), -1).contiguous())[0][:, -1]),
            begin=torch.randn(1, 1, 8),
        ),
        Window(7),
        **FIXED,
        **LAST,
    )
    yield from exported(
        "a window with a convolution and a difference",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(m.convolution((x[:, 1:] - x[:, :-1]).transpose(1, 2)).transpose(1, 2))[1][0]
            ),
            convolution=nn.Conv1d(3, 3, 3),
        ),
        Window(7),
        **FIXED,
        **LAST,
    )
    yield from exported(
        "every step of a fixed length",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0])),
        Sessions(),
        output="B T=7 2",
        **FIXED,
    )
    yield from exported(
        "every step of a fixed length and one sequence",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0]), gru=gru(3, 8, 2)),
        Sessions(),
        inputs={"x": "B=1 T=7 3"},
        output="B=1 T=7 2",
        batch=1,
    )
    yield from exported(
        "as many numbers at the last step as there are steps",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x)[0][:, -1]),
            gru=gru(3, 8, bidirectional=True),
            head=nn.Linear(16, 7),
        ),
        Whole(("bidirectional",)),
        output="B 7",
        **FIXED,
    )
    yield from exported(
        "as many numbers at each step as there are steps",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x)[0]),
            gru=gru(3, 8, bidirectional=True),
            head=nn.Linear(16, 7),
        ),
        Whole(("bidirectional",)),
        output="B T=7 7",
        **FIXED,
    )
    yield from exported(
        "as many features as there are steps",
        lambda: with_head(
            lambda m, x: m.head(m.gru((x * m.scale)[..., None].expand(-1, -1, -1, 7).sum(2))[0]),
            gru=gru(7, 8),
            scale=torch.randn(7),
        ),
        Sessions(),
        inputs={"x": "B T=7 7"},
        output="B T=7 2",
    )
    yield from exported(
        "time and features of the same length, turned",
        lambda: with_head(lambda m, x: m.head(m.gru(x.transpose(1, 2))[0]), gru=gru(7, 8)),
        Refused(("--time-axis",)),
        inputs={"x": "B T=7 7"},
        output="B T=7 2",
        by=(),
    )
    yield from exported(
        "a mean of a fixed length",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0].mean(1))),
        Whole(("ReduceMean",)),
        **FIXED,
        **LAST,
    )


def _several() -> Iterator[Case]:
    yield from exported(
        "two answers",
        lambda: with_head(
            lambda m, x: (m.head(y := m.gru(x)[0]), m.other(y)), other=nn.Linear(8, 3)
        ),
        Refused(("several outputs", "'y'", "'z'", "--output")),
        outputs=("y", "z"),
    )
    yield from exported(
        "two answers, one of them chosen",
        lambda: with_head(
            lambda m, x: (m.head(y := m.gru(x)[0]), m.other(y)), other=nn.Linear(8, 3)
        ),
        Sessions(),
        outputs=("y", "z"),
        output="B T 3",
        answers="z",
        hints=_output("z"),
    )
    yield from exported(
        "one answer of each step and one of the last, the last chosen",
        lambda: with_head(
            lambda m, x: (m.head(y := m.gru(x)[0]), m.other(y[:, -1])), other=nn.Linear(8, 3)
        ),
        Sessions(),
        outputs=("y", "z"),
        output="B 3",
        answers="z",
        hints=_output("z"),
    )
    yield from exported(
        "an answer beside attention that is not asked for",
        lambda: with_head(
            lambda m, x: (m.head(y := m.gru(x)[0]), m.score(y).softmax(1)), score=nn.Linear(8, 1)
        ),
        Sessions(),
        outputs=("y", "weights"),
        hints=_output("y"),
    )
    yield from exported(
        "an output that is not there",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0])),
        Refused(("'missing'", "'y'")),
        by=OLD,
        hints=_output("missing"),
    )


def _output(name: str) -> Hints:
    return Hints(output=name)
