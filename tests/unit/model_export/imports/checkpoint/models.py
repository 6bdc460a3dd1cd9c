"""Models as people train them, made of torch's own modules, with what `--head` says of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

INPUTS, TOKENS = 3, 11

Parts = Mapping[str, Callable[..., Tensor]]
Forward = Callable[[Parts, Tensor], Tensor]


class Model(nn.Module):
    """Named children and a forward pass that is given from outside."""

    def __init__(self, children: Mapping[str, nn.Module], forward: Forward) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)
        self._forward = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._forward(cast(Parts, self._modules), x)


class Inner(nn.Module):
    """A GRU below another module's name."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = gru()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        run: tuple[Tensor, Tensor] = self.rnn(x)
        return run


@dataclass(frozen=True)
class Kind:
    """One kind of model; `make` draws new weights each time."""

    name: str
    children: Callable[[], Mapping[str, nn.Module]]
    forward: Forward
    head: str | None
    tokens: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def make(self, seed: int = 0) -> Model:
        torch.manual_seed(seed)
        model = Model(self.children(), self.forward)
        lively(model)
        return model.eval()

    def inputs(self, batch: int, time: int, seed: int = 0) -> Tensor:
        """[batch, time, INPUTS] float32, or ids [batch, time]."""
        generator = torch.Generator().manual_seed(seed)
        if self.tokens:
            return torch.randint(TOKENS, (batch, time), generator=generator)
        return torch.randn(batch, time, INPUTS, generator=generator)


def lively(model: nn.Module) -> None:
    """Make every parameter and statistic matter: fresh norms neither scale nor shift."""
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.is_floating_point() and tensor.ndim == 1:
            tensor.uniform_(-1, 1)


def gru(
    inputs: int = INPUTS,
    hidden: int = 5,
    *,
    num_layers: int = 1,
    bias: bool = True,
    dropout: float = 0,
    bidirectional: bool = False,
) -> nn.GRU:
    return nn.GRU(
        inputs,
        hidden,
        num_layers,
        bias=bias,
        batch_first=True,
        dropout=dropout,
        bidirectional=bidirectional,
    )


def every(m: Parts, x: Tensor) -> Tensor:
    """fc on every step."""
    return m["fc"](m["gru"](x)[0])


def last(m: Parts, x: Tensor) -> Tensor:
    """fc on the last step."""
    return m["fc"](m["gru"](x)[0][:, -1])


def chained(m: Parts, x: Tensor) -> Tensor:
    for name in ("gru1", "gru2", "gru3", "gru4"):
        x = m[name](x)[0]
    return m["fc"](x)


def cell(m: Parts, x: Tensor) -> Tensor:
    h = torch.zeros(x.shape[0], 5, dtype=x.dtype)
    outputs = []
    for t in range(x.shape[1]):
        h = m["gru_cell"](x[:, t], h)
        outputs.append(m["fc"](h))
    return torch.stack(outputs, dim=1)


def normed(m: Parts, x: Tensor) -> Tensor:
    h = m["bn"](m["gru"](x)[0][:, -1])
    return torch.sigmoid(m["fc3"](torch.tanh(m["fc2"](torch.relu(m["fc1"](h))))))


def over_channels(norm: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """nn.BatchNorm1d wants time last."""
    return norm(x.transpose(1, 2)).transpose(1, 2)


def between(m: Parts, x: Tensor) -> Tensor:
    x = torch.relu(m["lift"](x))
    x = m["norm"](m["gru1"](x)[0])
    return m["fc"](m["gru2"](x)[0])


def fc(inputs: int = 5, outputs: int = 2, *, bias: bool = True) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias)


def after(function: Callable[[Tensor], Tensor]) -> Forward:
    return lambda m, x: function(every(m, x))


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "relu6": nn.functional.relu6,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": nn.Softmax(dim=-1),
    "log_softmax": nn.LogSoftmax(dim=-1),
    "leaky_relu": nn.functional.leaky_relu,
    "leaky_relu(0.2)": nn.LeakyReLU(0.2),
    "gelu": nn.functional.gelu,
    "gelu_tanh": nn.GELU(approximate="tanh"),
    "elu": nn.functional.elu,
    "elu(0.5)": nn.ELU(0.5),
    "selu": nn.functional.selu,
    "silu": nn.functional.silu,
    "softplus": nn.functional.softplus,
    "hardsigmoid": nn.functional.hardsigmoid,
    "hardswish": nn.functional.hardswish,
    "hardtanh": nn.functional.hardtanh,
}

KINDS = (
    Kind("bare", lambda: {"gru": gru()}, lambda m, x: m["gru"](x)[0], None),
    Kind("every step", lambda: {"gru": gru(), "fc": fc()}, every, "linear"),
    Kind("last step", lambda: {"gru": gru(), "fc": fc()}, last, "last,linear"),
    Kind(
        "h_n",
        lambda: {"gru": gru(), "fc": fc()},
        lambda m, x: m["fc"](m["gru"](x)[1][-1]),
        "final,fc",
    ),
    Kind(
        "mean",
        lambda: {"gru": gru(), "fc": fc()},
        lambda m, x: m["fc"](m["gru"](x)[0].mean(1)),
        "mean,linear",
    ),
    Kind(
        "max",
        lambda: {"gru": gru(), "fc": fc()},
        lambda m, x: m["fc"](m["gru"](x)[0].amax(1)),
        "max,linear",
    ),
    Kind(
        "three layers", lambda: {"gru": gru(num_layers=3, dropout=0.2), "fc": fc()}, every, "linear"
    ),
    Kind("no biases", lambda: {"gru": gru(bias=False), "fc": fc(bias=False)}, every, "linear"),
    Kind("bidirectional", lambda: {"gru": gru(bidirectional=True), "fc": fc(10)}, every, "linear"),
    Kind(
        "bidirectional stack, last step",
        lambda: {"gru": gru(num_layers=2, bidirectional=True), "fc": fc(10)},
        last,
        "last,linear",
    ),
    Kind(
        "bidirectional, h_n",
        lambda: {"gru": gru(num_layers=2, bidirectional=True), "fc": fc(10)},
        lambda m, x: m["fc"](torch.cat([m["gru"](x)[1][-2], m["gru"](x)[1][-1]], 1)),
        "final,linear",
    ),
    Kind(
        "bidirectional without biases",
        lambda: {"gru": gru(bidirectional=True, bias=False), "fc": fc(10)},
        every,
        "linear",
    ),
    Kind(
        "gru1 to gru4",
        lambda: {
            "gru1": gru(3, 6),
            "gru2": gru(6, 4),
            "gru3": gru(4, 4),
            "gru4": gru(4, 5),
            "fc": fc(),
        },
        chained,
        "linear",
    ),
    Kind("cell", lambda: {"gru_cell": nn.GRUCell(INPUTS, 5), "fc": fc()}, cell, "linear"),
    Kind(
        "batch norm and three linear layers",
        lambda: {
            "gru": gru(),
            "bn": nn.BatchNorm1d(5),
            "fc1": fc(5, 4),
            "fc2": fc(4, 4),
            "fc3": fc(4, 1),
        },
        normed,
        "last,batchnorm,linear,relu,dropout,linear,tanh,linear,sigmoid",
    ),
    Kind(
        "batch norm on every step",
        lambda: {"gru": gru(), "bn": nn.BatchNorm1d(5, eps=1e-3), "fc": fc()},
        lambda m, x: m["fc"](over_channels(m["bn"], m["gru"](x)[0])),
        "batchnorm(0.001),linear",
    ),
    Kind(
        "batch norm without weights",
        lambda: {"bn": nn.BatchNorm1d(INPUTS, affine=False), "gru": gru(), "fc": fc()},
        lambda m, x: every(m, over_channels(m["bn"], x)),
        "batchnorm,gru,linear",
    ),
    Kind(
        "layer norm",
        lambda: {"gru": gru(), "norm": nn.LayerNorm(5), "fc": fc()},
        lambda m, x: m["fc"](m["norm"](m["gru"](x)[0])),
        "layernorm,linear",
    ),
    Kind(
        "layer norm without bias",
        lambda: {"gru": gru(), "norm": nn.LayerNorm(5, bias=False, eps=1e-6), "fc": fc()},
        lambda m, x: m["fc"](m["norm"](m["gru"](x)[0])),
        "layernorm:norm(1e-6),linear",
    ),
    Kind(
        "prelu",
        lambda: {"gru": gru(), "fc": fc(), "act": nn.PReLU(2), "one": nn.PReLU()},
        lambda m, x: m["one"](over_channels(m["act"], every(m, x))),
        "linear,prelu:act,prelu:one",
    ),
    Kind(
        "sequential head",
        lambda: {
            "gru": gru(),
            "head": nn.Sequential(
                fc(5, 5), nn.ELU(), nn.Dropout(), fc(5, 5), nn.Flatten(), fc(5, 1)
            ),
        },
        lambda m, x: m["head"](m["gru"](x)[0][:, -1]),
        "last,linear,elu,dropout,linear,flatten,linear",
    ),
    Kind(
        "linear in front, norm between",
        lambda: {
            "lift": fc(INPUTS, 4),
            "gru1": gru(4, 4),
            "norm": nn.LayerNorm(4),
            "gru2": gru(4, 5),
            "fc": fc(),
        },
        between,
        "linear,relu,gru,layernorm,gru,linear",
    ),
    Kind(
        "embedding",
        lambda: {"embedding": nn.Embedding(TOKENS, 4), "gru": gru(4), "fc": fc(5, 11)},
        lambda m, x: torch.softmax(every(m, m["embedding"](x)), -1),
        "linear,softmax",
        tokens=True,
    ),
    Kind(
        "embedding by head",
        lambda: {"encoder": nn.Embedding(TOKENS, 4, padding_idx=0), "gru": gru(4), "fc": fc()},
        lambda m, x: torch.log_softmax(last(m, m["encoder"](x)), -1),
        "embedding,gru,last,linear,log_softmax",
        tokens=True,
    ),
    Kind(
        "named parts",
        lambda: {"b": fc(5, 5), "a": fc(5, 5), "gru": gru()},
        lambda m, x: m["b"](torch.tanh(m["a"](m["gru"](x)[0]))),
        "linear:a,tanh,linear:b",
    ),
    Kind(
        "defined backwards",
        lambda: {"out": fc(4, 2), "hidden": fc(5, 4), "gru": gru()},
        lambda m, x: m["out"](m["hidden"](m["gru"](x)[0])),
        "linear,linear",
    ),
    Kind(
        "order of two GRUs",
        lambda: {"decode": gru(4), "encode": gru(3, 4)},
        lambda m, x: m["decode"](m["encode"](x)[0])[0],
        None,
        options={"layers_order": ("encode", "decode")},
    ),
    Kind(
        "deep names",
        lambda: {"core": Inner(), "fc": fc()},
        lambda m, x: m["fc"](m["core"](x)[0]),
        "linear",
    ),
    Kind("wide", lambda: {"gru": gru(3, 64), "fc": fc(64, 1)}, last, "last,linear"),
    Kind("one unit", lambda: {"gru": gru(3, 1), "fc": fc(1, 1)}, every, "linear"),
    *(
        Kind(name, lambda: {"gru": gru(), "fc": fc(5, 4)}, after(function), f"linear,{name}")
        for name, function in ACTIVATIONS.items()
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}
