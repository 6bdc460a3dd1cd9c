"""The scripts that change traces inside Redis, each trace as one.

Offsets are those of `encoding.py`, counted from one as Lua does. Keys expire by themselves after
relative times: the clock of Redis is not that of the traces.
"""

from service.stores.redis.scripts import Script
from service.stores.traces.encoding import CHANGES_AT, STATEFUL_AT

_KEEP = f"""
-- As long as the one that lasts longest.
local function lasting(key, milliseconds)
  if redis.call('PTTL', key) < tonumber(milliseconds) then
    redis.call('PEXPIRE', key, milliseconds)
  end
end
local function drop(list, size)
  return size - #redis.call('LPOP', list)
end
local function trimmed(list, size, most)
  if size <= most then return size end
  while size > most do size = drop(list, size) end
  local first = redis.call('LINDEX', list, 0)
  while first and string.byte(first, {STATEFUL_AT + 1}) == 0 do
    size = drop(list, size)
    first = redis.call('LINDEX', list, 0)
  end
  return size
end
"""

RESERVE = Script(f"""{_KEEP}
local traces, recorded = KEYS[1], KEYS[2]
local name, now, most, expires_at, milliseconds, record = unpack(ARGV)
local living = redis.call('ZCOUNT', traces, '(' .. now, '+inf')
local own = redis.call('ZSCORE', traces, name)
if own and tonumber(own) > tonumber(now) then living = living - 1 end
if living >= tonumber(most) then return living end
redis.call('ZADD', traces, expires_at, name)
lasting(traces, milliseconds)
redis.call('HDEL', recorded, name)
if record ~= '' then
  redis.call('HSET', recorded, name, record)
  lasting(recorded, milliseconds)
end
return -1
""")
"""Keys: traces, recorded. Arguments: name, created_at, most, expires_at, how long the keys must
last, the record of a trace that records a session, or nothing. Answers how many live where that is
too many, or -1."""

RELEASE = Script("""
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
""")
"""Keys: traces, recorded. Argument: name."""

CREATE = Script(f"""{_KEEP}
local trace, list = KEYS[1], KEYS[2]
local record, about, most, milliseconds = unpack(ARGV, 1, 4)
local size = 0
redis.call('DEL', trace, list)
for i = 5, #ARGV do
  redis.call('RPUSH', list, ARGV[i])
  size = trimmed(list, size + #ARGV[i], tonumber(most))
end
redis.call('HSET', trace, 'record', record, 'about', about, 'max_bytes', most, 'bytes', size)
redis.call('PEXPIRE', trace, milliseconds)
redis.call('PEXPIRE', list, milliseconds)
return 1
""")
"""Keys: trace, its pieces. Arguments: record, about, max_bytes, how long to keep it, pieces."""

APPEND = Script(f"""{_KEEP}
local outcomes = {{}}
for i = 1, #ARGV do
  local trace, list = KEYS[2 * i - 1], KEYS[2 * i]
  local kept = redis.call('HMGET', trace, 'max_bytes', 'bytes')
  outcomes[i] = 0
  if kept[1] then
    redis.call('RPUSH', list, ARGV[i])
    local size = trimmed(list, tonumber(kept[2]) + #ARGV[i], tonumber(kept[1]))
    redis.call('HSET', trace, 'bytes', size)
    redis.call('PEXPIRE', list, math.max(1, redis.call('PTTL', trace)))
    outcomes[i] = 1
  end
end
return outcomes
""")
"""For many pieces. Keys of each: trace, its pieces. Arguments: the pieces. Answers 1 for each, or 0
where there is no such trace."""

PIECES_AFTER = Script(f"""
local list, after, found = KEYS[1], ARGV[1], {{}}
local last = redis.call('LLEN', list) - 1
while last >= 0 do
  local first, count = math.max(0, last - 63), #found
  local some = redis.call('LRANGE', list, first, last)
  for i = #some, 1, -1 do
    if string.sub(some[i], {CHANGES_AT + 1}, {CHANGES_AT + 8}) > after then
      found[#found + 1] = some[i]
    end
  end
  if #found == count then break end
  last = first - 1
end
return found
""")
"""Key: the pieces of a trace. Argument: changes (8 bytes). Answers the pieces with more changes,
the latest first; behind 64 pieces without any nobody looks."""
