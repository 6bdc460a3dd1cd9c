"""What the release before record format 2 (commit 700e510) does to sessions in Redis, frozen.

A program of its own, which imports nothing of the service: its layout of records, places, keys and
receipts and its scripts are copies of that release's, and are not to be kept up with anything. It
takes one JSON object a line, `{"do": …}`, and answers each with one.
"""

import json
import struct
import sys
import time
from binascii import crc_hqx
from itertools import count
from typing import Any
from zlib import crc32

from redis import Redis
from redis.exceptions import ResponseError

FORMAT = 1
PARTITIONS = 64
SCHEMA_VERSION = b"1"
RETENTION_SECONDS = 86400.0
_FIXED = struct.Struct(">Bqd4I7xqqdd")
_RECEIPT = struct.Struct("<16s8sIQQBI")
_KIND = struct.Struct("<BI")
_KIND_OFFSET = _RECEIPT.size - _KIND.size
_KEPT_RECEIPTS = 8
_KEPT_ANSWER_BYTES = 4096
_ANSWER, _BEFORE, _BIRTH = 1, 2, 3

_RECORD = f"""
local function head_of(session)
  local head = redis.pcall('GETRANGE', session, 0, 24)
  if type(head) == 'table' then return nil, head end
  if #head > 0 and string.byte(head) ~= {FORMAT} then
    return nil, redis.error_reply('FORMAT ' .. string.byte(head))
  end
  return head
end
local function expires_at(head) return (struct.unpack('>d', head, 10)) end
local function place_of(session, head)
  local state, place = struct.unpack('>I4I4', head, 18)
  return redis.call('GETRANGE', session, 72 + state, 72 + state + place - 1)
end
"""

CREATE = f"""{_RECORD}
local session, listing, expiry, schema = unpack(KEYS)
local version, now, place, score, forget_at, record = unpack(ARGV)
local found = redis.call('GET', schema) or version
if found ~= version then return redis.error_reply('SCHEMA ' .. found) end
local head, unreadable = head_of(session)
if unreadable then return unreadable end
local previous = place
if #head > 0 then
  if expires_at(head) > struct.unpack('>d', now) then return 0 end
  previous = place_of(session, head)
end
redis.call('SET', schema, version)
redis.call('ZADD', listing, 0, place)
redis.call('ZADD', expiry, score, place)
redis.call('SET', session, record, 'PXAT', forget_at)
if previous ~= place then
  redis.call('ZREM', listing, previous)
  redis.call('ZREM', expiry, previous)
end
return 1
"""

REPLACE = """
local call, outcomes = redis.pcall, {}
for i = 1, #KEYS / 2 do
  local session, expiry, first = KEYS[2 * i - 1], KEYS[2 * i], 5 * i - 4
  local outcome = call('GETRANGE', session, 0, 8)
  if outcome == ARGV[first] then
    outcome = call('ZADD', expiry, ARGV[first + 2], ARGV[first + 1])
    if type(outcome) == 'number' then
      outcome = call('SET', session, ARGV[first + 4], 'PXAT', ARGV[first + 3])
    end
    outcomes[i] = outcome.err or 1
  else
    outcomes[i] = type(outcome) == 'table' and outcome.err or 0
  end
end
return outcomes
"""

DELETE = f"""{_RECORD}
local session, listing, expiry = unpack(KEYS)
local head, unreadable = head_of(session)
if unreadable then return unreadable end
if #head == 0 then return 0 end
if ARGV[1] ~= '' and string.sub(head, 1, 9) ~= ARGV[1] then return 0 end
local place = place_of(session, head)
redis.call('DEL', session)
redis.call('ZREM', listing, place)
redis.call('ZREM', expiry, place)
return 1
"""

Fields = dict[str, Any]
"""A session, its state, metadata and receipts as bytes."""


def _tag(partition: int) -> bytes:
    share = 16384 // PARTITIONS
    tags = (str(number).encode() for number in count())
    return next(tag for tag in tags if crc_hqx(tag, 0) % 16384 // share == partition)


def keys_of(session_id: str) -> dict[str, bytes]:
    """The keys of a session and of its partition."""
    tag = _tag(crc32(session_id.encode()) % PARTITIONS)
    names = {one: b"gatewise:{%s}:%s" % (tag, one.encode()) for one in _NAMES}
    return names | {"session": b"gatewise:{%s}:session:" % tag + session_id.encode()}


_NAMES = ("listing", "expiry", "schema")


def encode(one: Fields) -> bytes:
    """A session as its record; models have no zero in their names here."""
    place = _place(one)
    lengths = (len(one["state"]), len(place), len(one["metadata"]), len(one["receipts"]))
    counts = (one["version"], one["step"], one["created_at"], one["ttl_seconds"])
    fixed = _FIXED.pack(FORMAT, one["revision"], one["expires_at"], *lengths, *counts)
    return b"".join((fixed, one["state"], place, one["metadata"], one["receipts"]))


def decode(record: bytes) -> Fields:
    """A record as a session. Raises ValueError for one of another format."""
    if record[:1] != bytes((FORMAT,)):
        raise ValueError(f"a session's record has format {record[0]}, this release reads format 1")
    _, revision, expires_at, *lengths, version, step, created_at, ttl = _FIXED.unpack_from(record)
    parts, begin = [], _FIXED.size
    for length in lengths:
        parts.append(record[begin : begin + length])
        begin += length
    if begin != len(record):
        raise ValueError("a session's record is damaged")
    state, place, metadata, receipts = parts
    model, session_id = place.split(b"\x00", 1)
    return {
        "session_id": session_id.decode(),
        "model": model.decode(),
        "version": version,
        "step": step,
        "revision": revision,
        "state": state,
        "created_at": created_at,
        "expires_at": expires_at,
        "ttl_seconds": ttl,
        "metadata": metadata,
        "receipts": receipts,
    }


def remember(receipts: bytes, key: bytes, one: Fields, content: bytes) -> bytes:
    """The receipts with one more for a keyed request, shortened to what is kept."""
    numbers = (one["version"], one["step"], one["revision"], _ANSWER, len(content))
    kept = [_RECEIPT.pack(key, bytes(8), *numbers) + content]
    number, room = 1, _KEPT_ANSWER_BYTES - len(content)
    begin = copied = 0
    while begin < len(receipts):
        kind, length = _KIND.unpack_from(receipts, begin + _KIND_OFFSET)
        end = begin + _RECEIPT.size + length
        number += kind != _BIRTH
        if kind == _ANSWER:
            room -= length
        if number > _KEPT_RECEIPTS and kind != _BIRTH:
            kept.append(receipts[copied:begin])
            copied = end
        elif length and (room < 0 or kind == _BEFORE):
            kept += receipts[copied : begin + _KIND_OFFSET], _KIND.pack(0, 0)
            copied = end
        begin = end
    kept.append(receipts[copied:])
    return b"".join(kept)


class OldStore:
    """Its store, as far as one session goes."""

    def __init__(self, port: int) -> None:
        self._redis = Redis(port=port, protocol=2)
        version = self._redis.get(keys_of("")["schema"])
        if version not in (None, SCHEMA_VERSION):
            raise ValueError("sessions in this Redis have another schema version, needs 1")

    def create(self, session_id: str) -> bool:
        """A session at step 0, which lives for a minute."""
        now = time.time()
        birth = _RECEIPT.pack(b"birth of session", bytes(8), 3, 0, 0, _BIRTH, 0)
        one: Fields = {"session_id": session_id, "model": "weather", "version": 3, "step": 0}
        one |= {"revision": 5, "state": bytes(8), "created_at": now, "expires_at": now + 60.0}
        one |= {"ttl_seconds": 60.0, "metadata": b"{}", "receipts": birth}
        keys = keys_of(session_id)
        names = (keys["session"], keys["listing"], keys["expiry"], keys["schema"])
        head = (SCHEMA_VERSION, struct.pack(">d", now), *_written(one))
        return bool(self._redis.eval(CREATE, len(names), *names, *head))

    def read(self, session_id: str) -> Fields | None:
        record = self._redis.get(keys_of(session_id)["session"])
        return decode(record) if isinstance(record, bytes) else None

    def step(self, session_id: str, key: bytes) -> Fields:
        """One step, keyed, tried until nobody else was faster."""
        while True:
            one = self.read(session_id)
            if one is None:
                raise ValueError(f"there is no session {session_id!r}")
            stamp = struct.pack(">Bq", FORMAT, one["revision"])
            one |= {"step": one["step"] + 1, "revision": one["revision"] + 1}
            one["expires_at"] = time.time() + one["ttl_seconds"]
            one["receipts"] = remember(one["receipts"], key, one, b"4444")
            keys = keys_of(session_id)
            names = (keys["session"], keys["expiry"])
            (replaced,) = self._redis.eval(REPLACE, 2, *names, stamp, *_written(one))
            assert isinstance(replaced, int), replaced
            if replaced:
                return one

    def delete(self, session_id: str) -> bool:
        keys = keys_of(session_id)
        names = (keys["session"], keys["listing"], keys["expiry"])
        return bool(self._redis.eval(DELETE, 3, *names, b""))


def _place(one: Fields) -> bytes:
    return f"{one['model']}\0{one['session_id']}".encode()


def _written(one: Fields) -> tuple[bytes, ...]:
    score = repr(one["expires_at"]).encode()
    moment = str(int((one["expires_at"] + RETENTION_SECONDS) * 1000)).encode()
    return _place(one), score, moment, encode(one)


def _answer(store: OldStore, asked: Fields) -> object:
    session_id = asked["session_id"]
    if asked["do"] == "create":
        return store.create(session_id)
    if asked["do"] == "delete":
        return store.delete(session_id)
    if asked["do"] == "read":
        return store.read(session_id)
    for number in range(asked["steps"]):
        one = store.step(session_id, b"old %12d" % number)
    return one


def main() -> None:
    """Answer lines until there are no more."""
    store = OldStore(int(sys.argv[1]))
    for line in sys.stdin:
        try:
            answer: object = {"answer": _answer(store, json.loads(line))}
        except (ValueError, ResponseError) as error:
            answer = {"error": str(error)}
        sys.stdout.write(json.dumps(answer, default=bytes.hex) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
