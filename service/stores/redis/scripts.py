"""The scripts that change sessions inside Redis, each session as one.

A script writes in an order in which only its first write can be refused (out of memory, a
replica, a key of a foreign type), so that what it refuses has changed nothing. The offsets are
those of `service/stores/record.py`, counted from one as Lua does.
"""

from collections.abc import Sequence
from hashlib import sha1
from typing import NamedTuple

from service.stores.record import FORMAT


class Script:
    """Lua that Redis runs by its digest."""

    def __init__(self, source: str) -> None:
        self.source = source.encode()
        self.digest = sha1(self.source, usedforsecurity=False).hexdigest().encode()

    def call(self, partition: int, keys: Sequence[bytes], arguments: Sequence[bytes]) -> "Command":
        """The command that runs the script on keys of one partition (of any, without a cluster)."""
        count = str(len(keys)).encode()
        return Command(partition, (b"EVALSHA", self.digest, count, *keys, *arguments), self)


class Command(NamedTuple):
    """One command, and the partition whose node it belongs to."""

    partition: int
    words: tuple[bytes, ...]
    script: Script | None = None

    def with_source(self) -> "Command":
        """The same for a node that does not know the script, and which then does."""
        if self.script is None:
            return self
        return Command(self.partition, (b"EVAL", self.script.source, *self.words[2:]))


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

CREATE = Script(f"""{_RECORD}
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
""")
"""Keys: session, listing, expiry, schema. Arguments: schema version, created_at (8 bytes), place,
score, when to forget, record. Answers 1, or 0 where a live session has the id.

The schema's version is written with every session, since Redis may have lost all it had."""

REPLACE = Script("""
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
""")
"""For many sessions. Keys of each: session, expiry. Arguments of each: expected stamp, place,
score, when to forget, record. Answers for each 1, 0 or the error that refused it, which had
written nothing: whatever happens to one does not stop the others."""

DELETE = Script(f"""{_RECORD}
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
""")
"""Keys: session, listing, expiry. Argument: the expected stamp, or nothing for any."""

PURGE = Script(f"""{_RECORD}
local removed, before = {{}}, struct.unpack('>d', ARGV[1])
for i = 1, #KEYS / 3 do
  local session, listing, expiry = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  local place, outcome = ARGV[i + 1], 1
  local head, unreadable = head_of(session)
  if unreadable then
    outcome = 0
  elseif #head > 0 and place_of(session, head) == place then
    if expires_at(head) < before then
      redis.call('DEL', session)
    else
      outcome = 0
    end
  end
  if outcome == 1 then
    redis.call('ZREM', listing, place)
    redis.call('ZREM', expiry, place)
  end
  removed[i] = outcome
end
return removed
""")
"""For many places. Keys of each: session, listing, expiry. Arguments: expired before (8 bytes),
the places. Answers for each 1 where the place was removed, with its session if Redis had not
forgotten it yet; a session of the same id in another place is left alone."""

COUNT = Script("""
local count = 0
for _, expiry in ipairs(KEYS) do
  count = count + redis.call('ZCOUNT', expiry, ARGV[1], '+inf')
end
return count
""")
"""Keys: expiries. Argument: the lower bound."""
