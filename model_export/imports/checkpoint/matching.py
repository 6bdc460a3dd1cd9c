"""Which module of the file is which part of the chain that the user described."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from model_export.errors import ModelRefused
from model_export.imports.checkpoint.head import WITH_WEIGHTS, Part
from model_export.imports.checkpoint.modules import Module, find_module, stem
from model_export.imports.checkpoint.state_dict import RECURRENT

_MAX_TRIED = 10_000


@dataclass(frozen=True, slots=True)
class Widths:
    """How many values a module takes and gives; None where any number will do."""

    takes: int | None
    gives: int | None


Chain = tuple[Module | None, ...]
"""For each part the module with its weights; None for parts without."""


def match(parts: Sequence[Part], modules: Sequence[Module], *, in_order: bool) -> Chain:
    """Give every part its module: by name, or in the order of `modules`, if the widths allow it.

    Where the order of the file means nothing (`in_order` false), or does not fit, the widths have
    to leave exactly one way. Raises ModelRefused naming the part and the shapes otherwise.
    """
    matching = _Matching(parts, modules)
    try:
        straight = matching.straight()
    except ModelRefused as error:
        ways = list(islice(matching.ways(), 2))
        if len(ways) == 1:
            return ways[0]
        if ways:
            raise matching.ambiguous(*ways) from error
        raise
    if in_order or matching.is_counted():
        return straight
    first, *others = islice(matching.ways(), 2)
    if others:
        raise matching.ambiguous(first, *others)
    return straight


def widths(kind: str, module: Module) -> Widths:
    """Of a module that plays the part `kind`."""
    if kind == "gru":
        return _gru_widths(module)
    if kind == "batchnorm":
        size = module.shapes["running_mean"][0]
        return Widths(size, size)
    weight = module.shapes["weight"]
    if kind == "linear":
        return Widths(weight[1], weight[0])
    if kind == "embedding":
        return Widths(None, weight[1])
    one_for_all = kind == "prelu" and weight[0] == 1
    return Widths(None, None) if one_for_all else Widths(weight[0], weight[0])


def _gru_widths(module: Module) -> Widths:
    """What its first layer takes and its last one gives."""
    into = {_layer(leaf): size for leaf, size in module.shapes.items() if "weight_ih" in leaf}
    within = {_layer(leaf): size for leaf, size in module.shapes.items() if "weight_hh" in leaf}
    lanes = 2 if any(leaf.endswith("_reverse") for leaf in module.shapes) else 1
    return Widths(into[min(into)][-1], lanes * within[max(within)][-1])


def _layer(leaf: str) -> int:
    found = RECURRENT.search(leaf)
    return int(found[1] or 0) if found is not None else 0


class _Matching:
    def __init__(self, parts: Sequence[Part], modules: Sequence[Module]) -> None:
        self._parts = parts
        self._modules = modules
        self._named = self._by_name()
        self._tried = 0

    def straight(self) -> Chain:
        """Each part takes the first module that is left and of its kind."""
        chain: list[Module | None] = []
        width, giver = None, "the input"
        for index, part in enumerate(self._parts):
            candidates = self._candidates(index, chain)
            if part.kind in WITH_WEIGHTS and not candidates:
                raise self._none_left(part)
            module = candidates[0]
            chain.append(module)
            if module is None:
                continue
            takes = widths(part.kind, module).takes
            if None not in (takes, width) and takes != width:
                raise ModelRefused(
                    f"{part} takes {takes} values ({_shapes(module)}), "
                    f"but {width} come from {giver}"
                )
            gives = widths(part.kind, module).gives
            width, giver = (gives, _shapes(module)) if gives is not None else (width, giver)
        return tuple(chain)

    def ways(self) -> Iterator[Chain]:
        """Every way in which the widths fit."""
        return self._continued([], None)

    def is_counted(self) -> bool:
        """Whether the modules that were not named are numbered, kind by kind."""
        unnamed = {part.kind for part in self._parts if part.module is None} - {"gru"}
        named = {id(module) for module in self._named.values()}
        return all(
            len({stem(m.path) for m in self._modules if m.can_be(kind) and id(m) not in named}) <= 1
            for kind in unnamed & set(WITH_WEIGHTS)
        )

    def ambiguous(self, one: Chain, other: Chain) -> ModelRefused:
        index, first, second = next(
            (index, a, b)
            for index, (a, b) in enumerate(zip(one, other, strict=True))
            if a is not None and b is not None and a is not b
        )
        kind = self._parts[index].kind
        return ModelRefused(
            f"{kind} number {self._number(index)} could be {first.label} or {second.label}, and "
            f"the file does not say which comes first; name each in --head, as {kind}:{first.label}"
        )

    def _continued(self, chain: list[Module | None], width: int | None) -> Iterator[Chain]:
        self._tried += 1
        if self._tried > _MAX_TRIED:
            raise ModelRefused("--head: too many ways to match it with the file; name the modules")
        if len(chain) == len(self._parts):
            yield tuple(chain)
            return
        part = self._parts[len(chain)]
        for module in self._candidates(len(chain), chain):
            need = Widths(None, None) if module is None else widths(part.kind, module)
            if None in (need.takes, width) or need.takes == width:
                gives = width if need.gives is None else need.gives
                yield from self._continued([*chain, module], gives)

    def _candidates(self, index: int, chain: Sequence[Module | None]) -> list[Module | None]:
        part = self._parts[index]
        if part.kind not in WITH_WEIGHTS:
            return [None]
        if index in self._named:
            return [self._named[index]]
        taken = {id(module) for module in (*chain, *self._named.values())}
        free = [m for m in self._modules if _plays(m, part.kind) and id(m) not in taken]
        # Their order was settled before.
        return [*free[:1]] if part.kind == "gru" else [*free]

    def _by_name(self) -> Mapping[int, Module]:
        named: dict[int, Module] = {}
        for index, part in enumerate(self._parts):
            if part.module is None:
                continue
            module = find_module(self._modules, part.module, "--head")
            if not _plays(module, part.kind):
                raise ModelRefused(f"--head: {part} cannot be {module.described()}")
            if any(module is other for other in named.values()):
                raise ModelRefused(f"--head names {module.label} twice")
            named[index] = module
        return named

    def _none_left(self, part: Part) -> ModelRefused:
        wanted = sum(other.kind == part.kind for other in self._parts)
        there = [module for module in self._modules if _plays(module, part.kind)]
        shown = ", ".join(module.described() for module in there) or "none"
        return ModelRefused(
            f"--head asks for {wanted} of {part.kind}, and the file has {len(there)}: {shown}"
        )

    def _number(self, index: int) -> int:
        kind = self._parts[index].kind
        return sum(part.kind == kind for part in self._parts[: index + 1])


def _plays(module: Module, kind: str) -> bool:
    return module.is_recurrent if kind == "gru" else module.can_be(kind)


def _shapes(module: Module) -> str:
    """The tensor that fixes its widths, with its shape."""
    leaf = next(
        leaf
        for leaf in ("weight", "running_mean", *module.shapes)
        if leaf in module.shapes and not (module.is_recurrent and not leaf.startswith("weight_hh"))
    )
    return f"{module.tensor(leaf)} {list(module.shapes[leaf])}"
