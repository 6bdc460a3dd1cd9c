"""What a GRU begins with, and what is passed in and out."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from model_export.rewrite.roles import Hints
from tests.variety.onnx_models.case import Case, Refused, Sessions, Whole
from tests.variety.onnx_models.exported import OLD, Net, exported
from tests.variety.onnx_models.topics.parts import gru, with_head

SPEAKER = {"x": "B T 3", "speaker": "B 4"}
ONE_STEP = {"x": "B T=1 3", "h": "1 B 8"}
FED = {"h_out": "h"}


def cases() -> Iterator[Case]:
    yield from _from_the_file()
    yield from _from_inputs()
    yield from _beside_the_sequence()
    yield from _from_the_sequence()
    yield from _one_step_at_a_time()


def _from_the_file() -> Iterator[Case]:
    yield from exported(
        "zeros of the batch's size",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x, torch.zeros(2, x.size(0), 8))[0]), gru=gru(3, 8, 2)
        ),
        Sessions(),
    )
    yield from exported(
        "a state that was learnt",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x, m.begin.expand(-1, x.size(0), -1).contiguous())[0]),
            gru=gru(3, 8, 2),
            begin=torch.randn(2, 1, 8),
        ),
        Sessions(),
    )
    yield from exported(
        "a state that was learnt, repeated",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x, m.begin.repeat(1, x.size(0), 1))[0]),
            begin=torch.randn(1, 1, 8),
        ),
        Sessions(),
    )
    yield from exported(
        "a state computed from weights",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(x, torch.tanh(m.from_code(m.code)).expand(1, x.size(0), 8).contiguous())[0]
            ),
            code=torch.randn(5),
            from_code=nn.Linear(5, 8),
        ),
        Sessions(),
    )
    yield from exported(
        "a state of random numbers",
        lambda: with_head(lambda m, x: m.head(m.gru(x, torch.randn(1, x.size(0), 8))[0])),
        Refused(("RandomNormal", "draws")),
    )
    yield from exported(
        "a state that depends on the place in the batch",
        lambda: with_head(
            lambda m, x: m.head(
                m.gru(x, torch.arange(x.size(0)).float()[None, :, None].repeat(1, 1, 8) / 10)[0]
            )
        ),
        Refused(("depends on the other sequences", "Range")),
    )
    yield from exported(
        "a state that depends on the length",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x, torch.zeros(1, x.size(0), 8) + (x.size(1) // 100))[0])
        ),
        Whole(("depends on the length",)),
    )


def _from_inputs() -> Iterator[Case]:
    yield from exported(
        "a speaker's vector at the beginning",
        lambda: with_head(
            lambda m, x, speaker: m.head(m.gru(x, torch.tanh(m.begin(speaker))[None])[0]),
            begin=nn.Linear(4, 8),
        ),
        Sessions(),
        inputs=SPEAKER,
    )
    yield from exported(
        "a speaker's vector at every step",
        lambda: with_head(
            lambda m, x, speaker: m.head(
                m.gru(torch.cat([x, speaker[:, None].expand(-1, x.size(1), -1)], -1))[0]
            ),
            gru=gru(7, 8),
        ),
        Sessions(),
        inputs=SPEAKER,
    )
    yield from exported(
        "a speaker's vector that scales and shifts",
        lambda: with_head(
            lambda m, x, speaker: m.head(
                m.gru(x)[0] * m.scale(speaker)[:, None] + m.shift(speaker)[:, None]
            ),
            scale=nn.Linear(4, 8),
            shift=nn.Linear(4, 8),
        ),
        Sessions(),
        inputs=SPEAKER,
    )
    yield from exported(
        "a speaker by number",
        lambda: with_head(
            lambda m, x, speaker: m.head(m.gru(x + m.table(speaker)[:, None])[0]),
            table=nn.Embedding(2, 3),
        ),
        Sessions(),
        inputs={"x": "B T 3", "speaker": "B"},
        integers=frozenset({"speaker"}),
    )
    yield from exported(
        "two constants",
        lambda: with_head(
            lambda m, x, speaker, room: m.head(
                m.gru(x + m.a(room)[:, None], torch.tanh(m.b(speaker))[None])[0]
            ),
            a=nn.Linear(5, 3),
            b=nn.Linear(4, 8),
        ),
        Sessions(),
        inputs={**SPEAKER, "room": "B 5"},
    )
    yield from exported(
        "layers that begin with parts of one vector",
        lambda: with_head(
            lambda m, x, speaker: m.head(
                m.gru(x, m.begin(speaker).reshape(-1, 2, 8).transpose(0, 1).contiguous())[0]
            ),
            gru=gru(3, 8, 2),
            begin=nn.Linear(4, 16),
        ),
        Sessions(),
        inputs=SPEAKER,
    )
    yield from exported(
        "a state in and out of whole sequences",
        lambda: with_head(
            lambda m, x, h: (m.head((found := m.gru(x, h))[0]), found[1]), gru=gru(3, 8, 2)
        ),
        Sessions(),
        inputs={"x": "B T 3", "h": "2 B 8"},
        outputs=("y", "h_out"),
        fed=FED,
    )
    yield from exported(
        "a state in alone",
        lambda: with_head(lambda m, x, h: m.head(m.gru(x, h)[0])),
        Sessions(),
        inputs={"x": "B T 3", "h": "1 B 8"},
        fed={"": "h"},
    )
    yield from exported(
        "a state for each layer",
        lambda: with_head(
            lambda m, x, one, two: (
                m.head((second := m.gru((first := m.first(x, one))[0], two))[0]),
                first[1],
                second[1],
            ),
            first=gru(3, 5),
            gru=gru(5, 8),
        ),
        Sessions(),
        inputs={"x": "B T 3", "one": "1 B 5", "two": "1 B 8"},
        outputs=("y", "one_out", "two_out"),
        fed={"one_out": "one", "two_out": "two"},
    )
    yield from exported(
        "a state with the batch first",
        lambda: with_head(
            lambda m, x, h: (
                m.head((found := m.gru(x, h.transpose(0, 1).contiguous()))[0]),
                found[1].transpose(0, 1),
            ),
            gru=gru(3, 8, 2),
        ),
        Sessions(),
        inputs={"x": "B T 3", "h": "B 2 8"},
        outputs=("y", "h_out"),
        fed=FED,
    )
    yield from exported(
        "masked by given lengths",
        lambda: with_head(
            lambda m, x, lengths: m.head(
                m.gru(x)[0] * (torch.arange(x.size(1))[None] < lengths[:, None])[..., None]
            )
        ),
        Refused(("lengths",)),
        inputs={"x": "B T 3", "lengths": "B"},
        integers=frozenset({"lengths"}),
    )
    yield from exported(
        "the last step of given lengths",
        lambda: with_head(
            lambda m, x, lengths: m.head(
                m.gru(x)[0].gather(1, (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, 8))[
                    :, 0
                ]
            )
        ),
        Refused(("lengths",)),
        inputs={"x": "B T 3", "lengths": "B"},
        output="B 2",
        integers=frozenset({"lengths"}),
    )
    yield from exported(
        "two sequences",
        lambda: with_head(lambda m, x, z: m.head(m.gru(x + z)[0])),
        Refused(("several inputs", "'x'", "'z'", "--input")),
        inputs={"x": "B T 3", "z": "B T 3"},
    )
    yield from exported(
        "teacher forcing",
        lambda: with_head(
            lambda m, x, target: m.head(m.gru(m.table(target), m.encoder(x)[1])[0]),
            encoder=gru(3, 8),
            table=nn.Embedding(11, 3),
        ),
        Refused(("'target'", "open")),
        inputs={"x": "B T 3", "target": "B T"},
        integers=frozenset({"target"}),
    )


def _beside_the_sequence() -> Iterator[Case]:
    yield from exported(
        "a GRU that runs over a constant",
        lambda: with_head(
            lambda m, x, speaker: (
                m.head(m.gru(speaker[:, None].expand(-1, x.size(1), -1))[0]) + x[..., :2]
            ),
            gru=gru(4, 8),
        ),
        Sessions(),
        inputs=SPEAKER,
        hints=Hints(input="x"),
    )
    yield from exported(
        "a GRU that runs over ones",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x)[0] + m.clock(torch.ones_like(x))[0]), clock=gru(3, 8)
        ),
        Whole(("GRU", "do not come from the sequence"), could_step=True),
    )
    yield from exported(
        "the state asked for",
        lambda: with_head(lambda m, x: (m.head((found := m.gru(x))[0]), found[1])),
        Sessions(),
        outputs=("y", "h"),
        answers="h",
        output="1 B 8",
        hints=Hints(output="h"),
    )


def _from_the_sequence() -> Iterator[Case]:
    yield from exported(
        "encoder and decoder",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x, m.encoder(x)[1])[0]),
            encoder=gru(3, 8),
        ),
        Whole(("GRU", "computed from the sequence")),
    )
    yield from exported(
        "the end repeated for a decoder of five steps",
        lambda: with_head(
            lambda m, x: m.head(m.gru(m.encoder(x)[1][-1][:, None].repeat(1, 5, 1))[0]).flatten(1),
            encoder=gru(3, 6),
            gru=gru(6, 8),
        ),
        Sessions(),
        output="B 10",
    )
    yield from exported(
        "the end repeated for every step",
        lambda: with_head(
            lambda m, x: m.head(m.gru(m.encoder(x)[1][-1][:, None].expand(-1, x.size(1), -1))[0]),
            encoder=gru(3, 6),
            gru=gru(6, 8),
        ),
        Whole(("last step",)),
    )
    yield from exported(
        "a decoder that feeds on itself",
        lambda: with_head(_decoded, encoder=gru(3, 8), gru=gru(2, 8)),
        Whole(("computed from the sequence",)),
        output="B 6",
        by=OLD,
    )
    yield from exported(
        "a state computed from the first step",
        lambda: with_head(
            lambda m, x: m.head(m.gru(x, torch.tanh(m.begin(x[:, 0]))[None])[0]),
            begin=nn.Linear(3, 8),
        ),
        Whole(("step 0",)),
    )


def _decoded(m: Net, x: Tensor) -> Tensor:
    hidden = m.encoder(x)[1]
    last = x[:, -1:, :2]
    answers = []
    for _ in range(3):
        y, hidden = m.gru(last, hidden)
        last = m.head(y)
        answers.append(last)
    return torch.cat(answers, 1).flatten(1)


def _one_step_at_a_time() -> Iterator[Case]:
    step: dict[str, Any] = {"inputs": ONE_STEP, "outputs": ("y", "h_out"), "fed": FED}
    yield from exported(
        "a step with its state",
        lambda: with_head(lambda m, x, h: (m.head((found := m.gru(x, h))[0]), found[1])),
        Sessions(),
        output="B T=1 2",
        **step,
    )
    yield from exported(
        "a step of a batch of one",
        lambda: with_head(lambda m, x, h: (m.head((found := m.gru(x, h))[0]), found[1])),
        Sessions(),
        output="B=1 T=1 2",
        **{**step, "inputs": {"x": "B=1 T=1 3", "h": "1 B=1 8"}, "batch": 1},
    )
    yield from exported(
        "states of all layers in one tensor",
        lambda: with_head(_packed, first=gru(3, 5), gru=gru(5, 8)),
        Sessions(),
        inputs={"x": "B T=1 3", "cache": "B 13"},
        output="B T=1 2",
        outputs=("y", "cache_out"),
        fed={"cache_out": "cache"},
    )
    yield from exported(
        "a packed cache with a convolution's past",
        lambda: with_head(_packed_with_past, convolution=nn.Conv1d(3, 4, 3), gru=gru(4, 8)),
        Sessions(),
        inputs={"x": "B T=1 3", "cache": "B 14"},
        output="B T=1 2",
        outputs=("y", "cache_out"),
        fed={"cache_out": "cache"},
    )
    yield from exported(
        "a running mean in a cache",
        lambda: with_head(
            lambda m, x, h, mean: (
                m.head((found := m.gru(x - (new := 0.9 * mean + 0.1 * x), h))[0]),
                found[1],
                new,
            )
        ),
        Sessions(),
        inputs={**ONE_STEP, "mean": "B 1 3"},
        output="B T=1 2",
        outputs=("y", "h_out", "mean_out"),
        fed={**FED, "mean_out": "mean"},
        hints=_hints(mean_out="mean"),
    )
    yield from exported(
        "a counter in a cache",
        lambda: with_head(
            lambda m, x, h, count: (
                m.head((found := m.gru(x / (count + 1)[..., None], h))[0]),
                found[1],
                count + 1,
            )
        ),
        Refused(("'count'",), could_step=True),
        inputs={**ONE_STEP, "count": "B 1"},
        output="B T=1 2",
        outputs=("y", "h_out", "count_out"),
        fed={**FED, "count_out": "count"},
        integers=frozenset({"count"}),
        hints=_hints(count_out="count"),
    )
    yield from exported(
        "a random generator's number in a cache",
        lambda: with_head(
            lambda m, x, h, seed: (
                m.head((found := m.gru(x + (seed % 1000)[..., None] / 1000, h))[0]),
                found[1],
                (seed * 1103515245 + 12345) % 2147483648,
            )
        ),
        Refused(("'seed'",)),
        inputs={**ONE_STEP, "seed": "B 1"},
        output="B T=1 2",
        outputs=("y", "h_out", "seed_out"),
        fed={**FED, "seed_out": "seed"},
        integers=frozenset({"seed"}),
        hints=_hints(seed_out="seed"),
    )
    yield from exported(
        "the token before in a cache",
        lambda: with_head(
            lambda m, x, h, before: (
                m.head((found := m.gru(m.table(x) + m.table(before), h))[0]),
                found[1],
                x,
            ),
            table=nn.Embedding(11, 3),
        ),
        Refused(("'before'",), could_step=True),
        inputs={"x": "B T=1", "h": "1 B 8", "before": "B 1"},
        output="B T=1 2",
        outputs=("y", "h_out", "before_out"),
        fed={**FED, "before_out": "before"},
        integers=frozenset({"before"}),
        tokens=11,
        hints=_hints(before_out="before"),
    )
    yield from exported(
        "a step without its state",
        lambda: with_head(lambda m, x: m.head(m.gru(x)[0])),
        Refused(("GRU", "--state")),
        inputs={"x": "B T=1 3"},
        output="B T=1 2",
        hints=Hints(time_axis=1),
    )
    yield from exported(
        "a step with a state that nothing hands on",
        lambda: with_head(lambda m, x, h: m.head(m.gru(x, h)[0])),
        Refused(("GRU", "--state")),
        inputs=ONE_STEP,
        output="B T=1 2",
        hints=Hints(time_axis=1),
        fed={"": "h"},
    )
    yield from exported(
        "a step of a model that runs both ways",
        lambda: with_head(
            lambda m, x, h: (m.head((found := m.gru(x, h))[0]), found[1]),
            gru=gru(3, 8, bidirectional=True),
            head=nn.Linear(16, 2),
        ),
        Refused(("bidirectional", "--state")),
        output="B T=1 2",
        **{**step, "inputs": {"x": "B T=1 3", "h": "2 B 8"}},
    )


def _hints(**states: str) -> Hints:
    return Hints(states=states)


def _packed(m: Net, x: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
    y, first = m.first(x, cache[None, :, :5].contiguous())
    y, second = m.gru(y, cache[None, :, 5:].contiguous())
    return m.head(y), torch.cat([first[0], second[0]], -1)


def _packed_with_past(m: Net, x: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
    past = cache[:, :6].reshape(-1, 3, 2)
    frames = torch.cat([past, x.transpose(1, 2)], 2)
    y, hidden = m.gru(
        torch.relu(m.convolution(frames)).transpose(1, 2), cache[None, :, 6:].contiguous()
    )
    return m.head(y), torch.cat([frames[:, :, 1:].reshape(-1, 6), hidden[0]], -1)
