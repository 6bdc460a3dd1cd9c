"""The items of `POST /v1/steps`: from the bytes of a body to blocks.

Hundreds of items come with a few numbers each. A pass of pydantic over every one costs several
times what the steps do, so plain items are looked at by hand and the numbers of all of them become
one array. Whatever does not look plain takes the slow way, which finds the words for what is wrong.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from types import NoneType
from typing import Any

import numpy as np
import orjson
from pydantic import ValidationError
from pydantic_core import from_json

from service.bundle.signatures.numbers import FLOAT32_MAX
from service.edges.http.conditions import read_tags
from service.edges.v1.requests import MAX_ITEMS, StepsItem
from service.errors import Fault, GatewiseError, InvalidInput, MalformedBody
from service.faults import invalid
from service.operations.conditions import UNCONDITIONAL, Conditions, conditions_of
from service.operations.gates import GateSelection
from service.operations.inputs import Inputs, JsonBlock, JsonRows, Text
from service.operations.keys import Key, read_key
from service.sessions.receipts import KEPT_RECEIPTS

_PLAIN_FIELDS = {"session_id", "inputs"}
_NUMBERS = {int, float, NoneType}
_TOO_MANY_KEYS = InvalidInput.at(
    ("session_id",),
    f"with keys, one request takes at most {KEPT_RECEIPTS} items of one session; send several "
    "time steps in one item",
)


_SAME_NUMBER = InvalidInput.at(
    ("session_id",),
    "with a numbered key, one request takes one item of each session; send several time steps in "
    "one item, or give the items numbers of their own (`key`)",
)


@dataclass(slots=True)
class Block:
    """Steps of neighbours, by their indexes among the items, that are applied together;
    `conditions` are None where there are none."""

    indexes: Sequence[int]
    session_ids: Sequence[str]
    inputs: Inputs
    gates: GateSelection | None = None
    conditions: Sequence[Conditions] | None = None


@dataclass(slots=True)
class Items:
    """All items of a body: as blocks, or what is wrong with one, its place beginning at the item.

    `session_ids` has a place for each item, None for one that has no session.
    """

    blocks: Sequence[Block]
    faults: Sequence[tuple[int, GatewiseError]]
    session_ids: Sequence[str | None]


@dataclass(slots=True)
class _Item:
    """One session's steps."""

    session_id: str
    inputs: JsonRows | Text
    gates: GateSelection | None
    conditions: Conditions


_ItemOrFault = _Item | GatewiseError


def read_items(raw: bytes, request_key: Key | None, max_rows: int) -> Items:
    """What a body asks for, in blocks of at most `max_rows`.

    An item without a key of its own has one made from the request's, if there is one. Raises
    MalformedBody, InvalidInput for what concerns the request as a whole.
    """
    values = _items_of(_parsed(raw))
    if request_key is None and (alike := _all_alike(values)) is not None:
        session_ids, inputs = alike
        return Items(_in_blocks(session_ids, inputs, max_rows), (), session_ids)
    items = [_read_item(index, value, request_key) for index, value in enumerate(values)]
    _refuse_too_many_keys(items)
    return Items(
        list(_blocks_of(items, max_rows)),
        [(index, item) for index, item in enumerate(items) if not isinstance(item, _Item)],
        [item.session_id if isinstance(item, _Item) else None for item in items],
    )


def _all_alike(values: list[Any]) -> tuple[list[str], JsonBlock] | None:
    """The sessions and the inputs of items that are all plain and of one length, as a gateway
    sends them; None of others."""
    plain = [one for one in map(_plain, values) if one is not None]
    if len(plain) < len(values):
        return None
    session_ids, sequences = map(list, zip(*plain, strict=True))
    first = sequences[0]
    if set(map(len, sequences)) != {len(first)} or not first or not _is_row(first[0]):
        return None
    block = _json_block(sequences, len(first), len(first[0]))
    return None if block is None else (session_ids, block)


def _in_blocks(session_ids: list[str], inputs: JsonBlock, max_rows: int) -> list[Block]:
    every = range(len(session_ids))
    parts = (slice(begin, begin + max_rows) for begin in every[::max_rows])
    return [
        Block(
            every[part],
            session_ids[part],
            JsonBlock(inputs.sequences[part], inputs.matrices[part], inputs.missing),
        )
        for part in parts
    ]


def _blocks_of(items: Sequence[_ItemOrFault], max_rows: int) -> Iterator[Block]:
    """Neighbours that are alike make one."""
    sound = ((index, item) for index, item in enumerate(items) if isinstance(item, _Item))
    for shape, run in groupby(sound, key=lambda pair: _shape(pair[1])):
        while some := list(islice(run, max_rows)):
            indexes, found = [index for index, _ in some], [item for _, item in some]
            sequences = [_rows_of(item) for item in found]
            block = None if shape is None else _json_block(sequences, *shape)
            if block is not None:
                yield _block(indexes, found, block)
                continue
            for index, item in some:
                yield _block([index], [item], item.inputs)


def _block(indexes: Sequence[int], items: Sequence[_Item], inputs: Inputs) -> Block:
    conditions = [item.conditions for item in items]
    return Block(
        indexes,
        [item.session_id for item in items],
        inputs,
        items[0].gates,
        None if all(one is UNCONDITIONAL for one in conditions) else conditions,
    )


def _parsed(raw: bytes) -> object:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        # This one takes NaN and numbers of any size, which only the items that have them pay for.
        try:
            return from_json(raw)
        except ValueError as error:
            raise MalformedBody([Fault((), f"the body is not valid JSON: {error}")]) from None


def _items_of(body: object) -> list[Any]:
    if not isinstance(body, dict):
        raise MalformedBody([Fault((), "the body must be a JSON object")])
    if strange := [name for name in body if name != "items"]:
        raise InvalidInput(Fault((name,), "there is no such field") for name in strange)
    items = body.get("items")
    if not isinstance(items, list) or not items:
        raise InvalidInput.at(("items",), "expected a list of at least one item")
    if len(items) > MAX_ITEMS:
        raise InvalidInput.at(("items",), f"{len(items)} items, at most {MAX_ITEMS} are taken")
    return items


def _read_item(index: int, value: object, request_key: Key | None) -> _ItemOrFault:
    key = None if request_key is None else request_key.for_item(index)
    if (plain := _plain(value)) is not None:
        session_id, rows = plain
        conditions = UNCONDITIONAL if key is None else Conditions(key)
        return _Item(session_id, JsonRows(rows), None, conditions)
    if not isinstance(value, dict):
        return InvalidInput.at((), "an item must be a JSON object")
    try:
        body = StepsItem.model_validate(value)
        tags = None if body.if_match is None else read_tags(body.if_match.encode(), ("if_match",))
        if body.key is not None:
            key = read_key(body.key.encode(), ("key",))
    except ValidationError as error:
        return invalid(error)
    except InvalidInput as error:
        return error
    except UnicodeEncodeError:  # half of a pair of surrogates
        return InvalidInput.at((), "a text is not Unicode")
    conditions = conditions_of(key, body.at, tags)
    inputs = Text(body.text) if body.text is not None else JsonRows(body.inputs or [])
    return _Item(body.session_id, inputs, body.gates, conditions)


def _plain(value: object) -> tuple[str, list[Any]] | None:
    """The session and the inputs of an item that has nothing else."""
    if type(value) is not dict or value.keys() != _PLAIN_FIELDS:
        return None
    session_id, inputs = value["session_id"], value["inputs"]
    return (session_id, inputs) if type(session_id) is str and type(inputs) is list else None


def _refuse_too_many_keys(items: list[_ItemOrFault]) -> None:
    """More keyed items of one session than it keeps receipts would not be safe to retry; and one
    number is one request's."""
    keyed = [item for item in items if isinstance(item, _Item) and item.conditions.key is not None]
    if len({item.session_id for item in keyed}) == len(keyed):
        return
    seen: Counter[str] = Counter()
    numbers: set[tuple[str, bytes]] = set()
    for index, item in enumerate(items):
        if not isinstance(item, _Item) or (key := item.conditions.key) is None:
            continue
        seen[item.session_id] += 1
        if seen[item.session_id] > KEPT_RECEIPTS:
            items[index] = _TOO_MANY_KEYS
        if key.number and (item.session_id, key.digest) in numbers:
            items[index] = _SAME_NUMBER
        numbers.add((item.session_id, key.digest))


def _shape(item: _Item) -> tuple[int, int] | None:
    """T and F of plain steps without gates, as far as the first row tells."""
    rows = _rows_of(item)
    if not rows or not _is_row(rows[0]):
        return None
    return len(rows), len(rows[0])


def _is_row(value: object) -> bool:
    return type(value) is list and len(value) > 0


def _rows_of(item: _Item) -> list[Any]:
    if item.gates is not None or isinstance(item.inputs, Text):
        return []
    return item.inputs.rows if isinstance(item.inputs.rows, list) else []


def _json_block(sequences: Sequence[list[Any]], time: int, width: int) -> JsonBlock | None:
    """Inputs of N sessions, T time steps of F numbers each; None where they are not that many
    finite numbers and nulls each."""
    rows = list(chain.from_iterable(sequences))
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {width}:
        return None
    types = set(map(type, chain.from_iterable(rows)))
    if not types <= _NUMBERS:
        return None
    try:
        matrix = np.array(rows, np.float64)
    except OverflowError:
        return None
    finite = np.abs(matrix) <= FLOAT32_MAX
    nulls = list(chain.from_iterable(rows)).count(None) if NoneType in types else 0
    # What is not finite is null, or it does not pass: JSON may have NaN itself.
    if np.count_nonzero(finite) + nulls < matrix.size:
        return None
    matrices = matrix.astype(np.float32).reshape(len(sequences), time, width)
    return JsonBlock(sequences, matrices, missing=nulls > 0)
