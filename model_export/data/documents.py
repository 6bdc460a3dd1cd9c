"""Nested documents from a small random grammar: text whose structure reaches further than a few
characters.

Brackets close what was opened, indentation follows the depth, a unit goes with the kind that was
named lines before, and quotes hold brackets that count for nothing. The same on every machine.
"""

from collections.abc import Iterator, Sequence
from random import Random

_KINDS = {
    "temperature": ("°C", 1),
    "pressure": ("hPa", 0),
    "humidity": ("%", 0),
    "wind speed": ("m/s", 1),
    "voltage": ("mV", 0),
    "flow": ("l/min", 1),
}
_PLACES = ("north gate", "boiler room", "roof", "cellar (old)", "pump house", "hall [B]", "tank 3")
_WORDS = (
    *("checked", "replaced", "after", "the", "storm", "by", "night", "shift", "cable", "was"),
    *("loose", "again", "no", "signal", "since", "monday", "cleaned", "and", "calibrated", "both"),
    *("sensors", "agree", "door", "left", "open", "{see log}", "[unclear]", "(twice)"),
)
_DEEPEST = 4


def documents(length: int) -> str:
    """At least `length` characters, whole documents one behind the other."""
    random, parts, total = Random(0), list[str](), 0
    while total < length:
        lines = list(_station(random, depth=0, closing=""))
        parts.append("\n".join(lines) + "\n")
        total += len(parts[-1])
    return "".join(parts)


def _station(random: Random, depth: int, closing: str) -> Iterator[str]:
    yield f"{_indent(depth)}{{"
    yield f'{_indent(depth + 1)}"id": "st-{_below(random, 1000):03}",'
    yield f'{_indent(depth + 1)}"place": "{_one(random, _PLACES)}",'
    if random.random() < 0.5:
        yield f'{_indent(depth + 1)}"note": "{_sentence(random)}",'
    yield f'{_indent(depth + 1)}"sensors": ['
    count = 1 + _below(random, 3)
    for index in range(count):
        yield from _sensor(random, depth + 2, "," if index + 1 < count else "")
    nested = 1 + _below(random, 2) if depth < 2 * _DEEPEST and random.random() < 0.4 else 0
    yield f"{_indent(depth + 1)}]" + ("," if nested else "")
    if nested:
        yield f'{_indent(depth + 1)}"stations": ['
        for index in range(nested):
            yield from _station(random, depth + 2, "," if index + 1 < nested else "")
        yield f"{_indent(depth + 1)}]"
    yield f"{_indent(depth)}}}{closing}"


def _sensor(random: Random, depth: int, closing: str) -> Iterator[str]:
    kind = _one(random, tuple(_KINDS))
    unit, decimals = _KINDS[kind]
    values = ", ".join(f"{random.random() * 40:.{decimals}f}" for _ in range(1 + _below(random, 3)))
    yield f"{_indent(depth)}{{"
    yield f'{_indent(depth + 1)}"kind": "{kind}",'
    yield f'{_indent(depth + 1)}"values": [{values}],'
    yield f'{_indent(depth + 1)}"unit": "{unit}"'
    yield f"{_indent(depth)}}}{closing}"


def _sentence(random: Random) -> str:
    return " ".join(_one(random, _WORDS) for _ in range(2 + _below(random, 6)))


def _indent(depth: int) -> str:
    return "  " * depth


def _below(random: Random, bound: int) -> int:
    # `randrange` and `choice` may draw in another way in another Python; `random` does not.
    return int(random.random() * bound)


def _one(random: Random, some: Sequence[str]) -> str:
    return some[_below(random, len(some))]
