import { header, script, shared } from './lua.ts';

/**
 * Compares the versions of what was read, then writes everything, or nothing.
 *
 * Arguments: process, number of the commit, whether to ask for a turn, channel; number of reads, and for each key
 * and version; then writes: `p` key entry expires count scope prefix terms, `d` key, `D` least and greatest key.
 *
 * Answers `done`; `wait` while another has the turn; or `changed` and the entries as they are now.
 */
const commit = `${header}${shared}
local process, number, wantsTurn, channel = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
-- A commit that comes a second time, since its answer was lost, or late, after its successor.
if tonumber(call('GET', done) or '0') >= number then return { 'done' } end
local holder = call('GET', turn)
if holder and holder ~= process then return { 'wait' } end

local at = 6
local current, changed = {}, false
for i = 1, tonumber(ARGV[5]) do
  local entry = call('HGET', values, ARGV[at])
  local version = entry and string.sub(entry, 1, string.find(entry, ':', 1, true) - 1) or ''
  if version ~= ARGV[at + 1] then changed = true end
  current[i] = entry
  at = at + 2
end
if changed then
  if wantsTurn == '1' then call('SET', turn, process, 'PX', 1000) end
  return { 'changed', current }
end

-- Not allowed for every user of every server, and no reason to stop halfway.
local function tell(key) redis.pcall('PUBLISH', channel .. key, '') end

while at <= #ARGV do
  local kind, key = ARGV[at], ARGV[at + 1]
  if kind == 'p' then
    local expires, count, scope, prefix, terms = unpack(ARGV, at + 3, at + 7)
    call('HSET', values, key, ARGV[at + 2])
    call('ZADD', order, 0, key)
    if expires == '' then call('ZREM', expiry, key) else call('ZADD', expiry, expires, key) end
    local id = call('HGET', textIds, key)
    if id then dropText(key, id) end
    if prefix ~= '' then
      if not id then
        id = string.format('%012d', call('HINCRBY', meta, 'lastText', 1))
        call('HSET', textIds, key, id)
      end
      call('HSET', texts, id, table.concat({ count, key, scope, prefix, terms }, '\\0'))
      local scored = {}
      for _, posting in ipairs(postings(prefix, terms, id)) do
        scored[#scored + 1] = '0'
        scored[#scored + 1] = posting
      end
      inChunks('ZADD', words, scored)
    elseif id then
      call('HDEL', textIds, key)
    end
    tell(key)
    at = at + 8
  elseif kind == 'd' then
    drop(key)
    tell(key)
    at = at + 2
  else
    local least, greatest = key, ARGV[at + 2]
    repeat
      local found = call('ZRANGEBYLEX', order, least, greatest, 'LIMIT', 0, 1000)
      for _, one in ipairs(found) do
        drop(one)
        tell(one)
      end
    until #found < 1000
    at = at + 3
  end
end
if holder then call('DEL', turn) end
call('SET', done, number, 'EX', 86400)
return { 'done' }
`;

/** Keys and entries between two keys that have not expired. Arguments: least, greatest, limit, now, direction. */
const range = `${header}
local least, greatest, limit, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local found, from = {}, 0
while #found < 2 * limit do
  local size = math.min(500, limit - #found / 2 + 10)
  local keys
  if ARGV[5] == 'reverse' then keys = call('ZREVRANGEBYLEX', order, greatest, least, 'LIMIT', from, size)
  else keys = call('ZRANGEBYLEX', order, least, greatest, 'LIMIT', from, size) end
  if #keys == 0 then break end
  local entries = call('HMGET', values, unpack(keys))
  for i, key in ipairs(keys) do
    local entry = entries[i]
    local _, stop, expires = string.find(entry or '', '^[^:]*:([^:]*):')
    if stop and (expires == '' or tonumber(expires) > now) and #found < 2 * limit then
      found[#found + 1] = key
      found[#found + 1] = entry
    end
  end
  if #keys < size then break end
  from = from + size
end
return found
`;

/**
 * Whole entries that have not expired: key, entry, and of its text the number of words, scope and terms, or nothing.
 * Arguments: least, limit, now.
 */
const whole = `${header}${shared}
local limit, now = tonumber(ARGV[2]), tonumber(ARGV[3])
local found, from = {}, 0
while #found < limit do
  local keys = call('ZRANGEBYLEX', order, ARGV[1], '+', 'LIMIT', from, limit)
  for _, key in ipairs(keys) do
    local entry = call('HGET', values, key) or ''
    local _, stop, expires = string.find(entry, '^[^:]*:([^:]*):')
    if stop and (expires == '' or tonumber(expires) > now) and #found < limit then
      local one = { key, entry }
      local id = call('HGET', textIds, key)
      local record = id and call('HGET', texts, id)
      if record then
        local _, at = nil, 1
        one[3], at = field(record, at)
        _, at = field(record, at)
        one[4], at = field(record, at)
        _, at = field(record, at)
        one[5] = string.sub(record, at)
      end
      found[#found + 1] = one
    end
  end
  if #keys < limit then break end
  from = from + limit
end
return found
`;

/**
 * Whole entries with a text that have not expired, as `whole` answers them, each after its id; before them the id up to
 * which was looked, or nothing when that was the last. Arguments: the id to begin after, limit, now.
 */
const texts = `${header}${shared}
local id, limit, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local last = tonumber(call('HGET', meta, 'lastText') or '0')
local stop = math.min(last, id + 2000)
local found = {}
while id < stop and #found < limit do
  id = id + 1
  local name = string.format('%012d', id)
  local record = call('HGET', texts, name)
  if record then
    local count, key, scope, at = nil, nil, nil, 1
    count, at = field(record, at)
    key, at = field(record, at)
    scope, at = field(record, at)
    local _, terms = field(record, at)
    local entry = call('HGET', values, key) or ''
    local _, ends, expires = string.find(entry, '^[^:]*:([^:]*):')
    if ends and (expires == '' or tonumber(expires) > now) then
      found[#found + 1] = { name, key, entry, count, scope, string.sub(record, terms) }
    end
  end
end
return { id < last and tostring(id) or '', found }
`;

/** Deletes some entries that have expired and answers how many. Arguments: now, limit. */
const sweep = `${header}${shared}
local keys = call('ZRANGEBYSCORE', expiry, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, key in ipairs(keys) do drop(key) end
return #keys
`;

export const scripts = {
  commit: script(commit),
  range: script(range),
  sweep: script(sweep),
  texts: script(texts),
  whole: script(whole),
};
