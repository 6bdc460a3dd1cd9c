"""The scripts that change sessions inside Redis, each session as one.

A script writes in an order in which only its first write can be refused (out of memory, a
replica, a key of a foreign type), so that what it refuses has changed nothing. The offsets are
those of `service/stores/record.py`, counted from one as Lua does. Revisions are compared as bytes,
in whichever format they stand.
"""

from collections.abc import Sequence
from hashlib import sha1
from typing import NamedTuple

from service.stores.record import FIXED_BYTES, FORMAT, OLD_FORMAT
from service.stores.redis.partitions import OLD_SCHEMA_VERSION, SCHEMA_VERSION


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


UPGRADED = 2
"""What a script answers that was to write an older record than it found: nothing was changed."""

UNREADABLE = 3
"""What a script answers where it must read a record, and cannot; nothing was changed."""

_RECORD = f"""
local fixed = {{[{OLD_FORMAT}] = {FIXED_BYTES[OLD_FORMAT]}, [{FORMAT}] = {FIXED_BYTES[FORMAT]}}}
local lengths = {{[{OLD_FORMAT}] = '>I4I4I4I4', [{FORMAT}] = '>I4I4I4I4I4I4'}}

-- The first bytes of a record and its place; nothing where there is none; or what is wrong:
-- 'format', 'damaged', or Redis' error for a key of a foreign type.
local function look(session, listing)
  local head = redis.pcall('GETRANGE', session, 0, 40)
  if type(head) == 'table' then return nil, nil, head end
  if #head == 0 then return nil, nil, redis.call('EXISTS', session) == 1 and 'damaged' or nil end
  local format = string.byte(head)
  if not fixed[format] then return nil, nil, 'format' end
  if #head < 41 then return nil, nil, 'damaged' end
  local parts, whole = {{struct.unpack(lengths[format], head, 18)}}, fixed[format]
  for i = 1, #parts - 1 do whole = whole + parts[i] end
  if whole ~= redis.call('STRLEN', session) then return nil, nil, 'damaged' end
  local first = fixed[format] + parts[1]
  local place = redis.call('GETRANGE', session, first, first + parts[2] - 1)
  if not redis.call('ZSCORE', listing, place) then return nil, nil, 'damaged' end
  return head, place
end
local function expires_at(head) return (struct.unpack('>d', head, 10)) end
local function forget(place, listing, expiry)
  redis.call('ZREM', listing, place)
  redis.call('ZREM', expiry, place)
end
"""

CREATE = Script(f"""{_RECORD}
local session, listing, expiry, schema = unpack(KEYS)
local version, now, place, score, record = unpack(ARGV)
local found = redis.call('GET', schema) or version
if found ~= version then
  if found == '{SCHEMA_VERSION.decode()}' then return {UPGRADED} end
  if found ~= '{OLD_SCHEMA_VERSION.decode()}' then return redis.error_reply('SCHEMA ' .. found) end
end
local head, previous, problem = look(session, listing)
if problem then return type(problem) == 'table' and problem or 0 end
if head then
  if not (expires_at(head) <= struct.unpack('>d', now)) then return 0 end
  if string.byte(head) > string.byte(record) then return {UPGRADED} end
end
redis.call('SET', schema, version)
redis.call('ZADD', listing, 0, place)
redis.call('ZADD', expiry, score, place)
redis.call('SET', session, record)
if previous and previous ~= place then forget(previous, listing, expiry) end
return 1
""")
"""Keys: session, listing, expiry, schema. Arguments: schema version, created_at (8 bytes), place,
score, record. Answers 1, UPGRADED, or 0 where a live session has the id, or an unreadable one.

The schema's version is written with every session, since Redis may have lost all it had; a store
that writes the new one over the old one has seen the upgrade in another partition."""

REPLACE = Script(f"""
local call, outcomes = redis.pcall, {{}}
for i = 1, #KEYS / 2 do
  local session, expiry, first = KEYS[2 * i - 1], KEYS[2 * i], 4 * i - 3
  local head, outcome = call('GETRANGE', session, 0, 8), 0
  if type(head) == 'table' then
    outcome = head.err
  elseif string.sub(head, 2) == ARGV[first] then
    local found, written = string.byte(head), string.byte(ARGV[first + 3])
    if found == {OLD_FORMAT} or found == written then
      outcome = call('ZADD', expiry, ARGV[first + 2], ARGV[first + 1])
      if type(outcome) == 'number' then
        outcome = call('SET', session, ARGV[first + 3])
      end
      outcome = outcome.err or 1
    elseif found == {FORMAT} then
      outcome = {UPGRADED}
    end
  end
  outcomes[i] = outcome
end
return outcomes
""")
"""For many sessions. Keys of each: session, expiry. Arguments of each: expected revision, place,
score, record. Answers for each 1, 0, UPGRADED or the error that refused it, which had written
nothing: whatever happens to one does not stop the others."""

REMOVE = Script(f"""{_RECORD}
local session, listing, expiry = unpack(KEYS)
local expected, places = ARGV[1], {{unpack(ARGV, 2)}}
local head, place, problem = look(session, listing)
if type(problem) == 'table' then return problem end
if expected ~= '' then
  if not head or string.sub(head, 2, 9) ~= expected then return 0 end
  if string.byte(head) > {OLD_FORMAT} then return {UPGRADED} end
end
if head then
  places = {{place}}
elseif not problem then
  return 0
elseif #places == 0 then
  return {UNREADABLE}
end
redis.call('DEL', session)
for _, place in ipairs(places) do forget(place, listing, expiry) end
return 1
""")
"""Keys: session, listing, expiry. Arguments: the expected revision of a record of format 1, or
nothing for any record; then the places of one that cannot be read, which UNREADABLE asks for.
Answers 1, 0, UPGRADED or UNREADABLE."""

PURGE = Script(f"""{_RECORD}
local removed, before = {{}}, struct.unpack('>d', ARGV[1])
for i = 1, #KEYS / 3 do
  local session, listing, expiry = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  local given, outcome = ARGV[i + 1], 1
  local head, place, problem = look(session, listing)
  if problem == 'damaged' then
    local score = redis.call('ZSCORE', expiry, given)
    if score and tonumber(score) < before then redis.call('DEL', session) else outcome = 0 end
  elseif problem then
    outcome = 0
  elseif place == given then
    if expires_at(head) < before then redis.call('DEL', session) else outcome = 0 end
  end
  if outcome == 1 then forget(given, listing, expiry) end
  removed[i] = outcome
end
return removed
""")
"""For many places. Keys of each: session, listing, expiry. Arguments: expired before (8 bytes),
the places. Answers for each 1 where the place was removed, with its session if that was still
there; a session of the same id in another place is left alone, as is what a newer release or
another application wrote. Of a damaged record the index alone knows when it expired."""

COUNT = Script("""
local count = 0
for _, expiry in ipairs(KEYS) do
  count = count + redis.call('ZCOUNT', expiry, ARGV[1], '+inf')
end
return count
""")
"""Keys: expiries. Argument: the lower bound."""

LOOK = Script("""
if ARGV[3] == 'alone' then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
for i = 4, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
return 1
""")
"""Key: clock. Arguments: boot id, look, "alone" or nothing, boots to forget."""
