"""Values that depend on how many steps or sequences there are, or on nothing but chance."""

from collections.abc import Iterator

import torch
from torch import nn

from model_export.rewrite.roles import Hints
from tests.variety.onnx_models.case import Case, Refused, Sessions, Whole
from tests.variety.onnx_models.exported import BOTH, NEW, OLD, exported
from tests.variety.onnx_models.topics.parts import headed, over_time, with_head


def cases() -> Iterator[Case]:
    yield from _of_the_time()
    yield from _of_the_batch()
    yield from _of_chance()
    yield from _branches()


def _of_the_time() -> Iterator[Case]:
    for name, run in (
        ("divided by the length", lambda m, x: m.gru(x / x.size(1))[0]),
        ("scaled from 64 steps on", lambda m, x: m.gru(x * (1 + x.size(1) // 64))[0]),
        (
            "the logarithm of the length added",
            lambda m, x: m.gru(x)[0] + torch.log(torch.tensor(1.0) * x.size(1)),
        ),
        (
            "the length as a feature",
            lambda m, x: m.gru(x + torch.full((1, 1, 3), 1.0) * x.shape[1] / 100)[0],
        ),
        (
            "at most 30 steps counted",
            lambda m, x: m.gru(x)[0] * torch.full((1,), 1.0).mul(x.shape[1]).clamp(min=30),
        ),
    ):
        yield from exported(
            name,
            headed(run),
            Whole(("length",)),
        )
    yield from exported(
        "positions added",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x + torch.arange(x.size(1))[None, :, None] / 100)[0])
        ),
        Whole(("Range",), could_step=True),
    )
    yield from exported(
        "positions looked up",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x + m.table(torch.arange(x.size(1))))[0]),
            table=nn.Embedding(200, 3),
        ),
        Whole(("Range",), could_step=True),
    )
    yield from exported(
        "positions cut from a table",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x + m.table[: x.size(1)])[0]), table=torch.randn(200, 3)
        ),
        Whole(("Slice",), could_step=True),
    )
    yield from exported(
        "waves of the positions",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(x)[0] + torch.sin(torch.linspace(0, 1, 8) * torch.arange(x.size(1))[:, None])
            )
        ),
        Whole(("Range",), could_step=True),
    )
    yield from exported(
        "positions counted by a running sum",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x + (torch.ones_like(x[..., :1]).cumsum(1) - 1) / 100)[0])
        ),
        Sessions(),
    )
    yield from exported(
        "the first steps masked by a running sum",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x * (torch.ones_like(x[..., :1]).cumsum(1) > 30))[0])
        ),
        Sessions(),
    )
    yield from exported(
        "positions of a fixed length",
        lambda: with_head(lambda m, x: m.head(m.gru(x + m.place)[0]), place=torch.randn(7, 3)),
        Whole(("each of 7 steps",), could_step=True),
        hints=Hints(time_axis=1),
        inputs={"x": "B T=7 3"},
        output="B T=7 2",
    )
    yield from exported(
        "positions that stop at 40",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(x)[0] * (torch.ones_like(x[..., :1]).cumsum(1).clamp(max=40) / 40)
            )
        ),
        Sessions(),
    )


def _of_the_batch() -> Iterator[Case]:
    for name, run, operator in (
        (
            "the mean of the batch taken away",
            lambda m, x: m.gru(x - x.mean(0, keepdim=True))[0],
            "ReduceMean",
        ),
        ("softmax over the batch", lambda m, x: m.gru(x)[0].softmax(0), "Softmax"),
        ("the batch turned around", lambda m, x: m.gru(x)[0] + m.gru(x.flip(0))[0], "Slice"),
        ("the first sequence added", lambda m, x: m.gru(x + x[:1])[0], "Slice"),
        (
            "the first sequence picked and added",
            lambda m, x: m.gru(x)[0] + m.gru(x)[0][0],
            "Gather",
        ),
        ("a sum over the batch", lambda m, x: m.gru(x.cumsum(0))[0], "CumSum"),
        ("the whole batch's mean", lambda m, x: m.gru(x - x.mean())[0], "ReduceMean"),
        ("the largest of all", lambda m, x: m.gru(x / x.abs().max())[0], "ReduceMax"),
        ("the number of numbers added", lambda m, x: m.gru(x)[0] + x.numel() // 1000, ""),
        ("divided by the batch", lambda m, x: m.gru(x / x.size(0))[0], ""),
        (
            "sequences compared with each other",
            lambda m, x: (
                (y := m.gru(x)[0])
                + torch.einsum("bth,cth->bc", y, y).softmax(-1).amax(-1)[:, None, None]
            ),
            "",
        ),
    ):
        yield from exported(
            name,
            headed(run),
            Refused(("batch", operator)),
            by=BOTH if operator in ("ReduceMean", "") else OLD,
        )
    yield from exported(
        "statistics of the batch",
        lambda: with_head(
            lambda m, x: m.head(m.gru(over_time(m.norm, x))[0]),
            norm=nn.BatchNorm1d(3, track_running_stats=False),
        ),
        Refused(("batch",)),
        by=NEW,
    )
    yield from exported(
        "statistics of the batch and the last step",
        lambda: with_head(
            lambda m, x: m.head(m.norm(m.gru(x)[0][:, -1])),
            norm=nn.BatchNorm1d(8, track_running_stats=False),
        ),
        Refused(("batch",)),
        output="B 2",
        by=NEW,
    )


def _of_chance() -> Iterator[Case]:
    for name, run, words in (
        ("noise added", lambda m, x: m.gru(x + torch.randn_like(x) * 1e-3)[0], "Random"),
        ("faint noise added", lambda m, x: m.gru(x + torch.randn_like(x) * 1e-9)[0], "Random"),
        ("one number of noise", lambda m, x: m.gru(x + torch.randn(3) * 1e-9)[0], "Random"),
        ("a random mask", lambda m, x: m.gru(x * (torch.rand_like(x) > 1e-6))[0], "Random"),
        ("a number drawn", lambda m, x: m.gru(x)[0] * (torch.rand(1) * 1e-9 + 1), "Random"),
        (
            "a coin for each number",
            lambda m, x: m.gru(x * torch.bernoulli(torch.sigmoid(x + 40)))[0],
            "Bernoulli",
        ),
    ):
        yield from exported(
            name,
            headed(run),
            Refused((words,)),
            by=BOTH if name == "one number of noise" else OLD,
        )


def _branches() -> Iterator[Case]:
    yield from exported(
        "a loop over the steps",
        lambda: with_head(lambda m, x: m.head(_scripted(m.gru(x)[0]))),
        Whole(("Gather",), could_step=True),
        by=("old 17",),
    )
    yield from exported(
        "a branch on the length",
        lambda: with_head(lambda m, x: m.head(_branch_on_length(m.gru(x)[0]))),
        Whole(("If",)),
        by=("old 17",),
    )
    yield from exported(
        "a branch on the numbers",
        lambda: with_head(lambda m, x: m.head(_branch_on_numbers(m.gru(x)[0]))),
        Refused(("batch",)),
        by=("old 17",),
    )
    yield from exported(
        "a branch on the length, of one fixed sequence",
        lambda: with_head(lambda m, x: m.head(_branch_on_length(m.gru(x)[0]))),
        Whole(("If",), could_step=True),
        inputs={"x": "B T=7 3"},
        output="B T=7 2",
        by=("old 17",),
    )


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _scripted(y: torch.Tensor) -> torch.Tensor:
    total = torch.zeros_like(y[:, 0])
    made = torch.zeros_like(y)
    for t in range(y.size(1)):
        total = 0.5 * total + y[:, t]
        made = made + total[:, None]
    return made


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _branch_on_length(y: torch.Tensor) -> torch.Tensor:
    if y.size(1) > 64:
        return y * 2
    return y


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _branch_on_numbers(y: torch.Tensor) -> torch.Tensor:
    if bool(y.sum() > 0):
        return y * 2
    return y
