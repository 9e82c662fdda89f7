import { header, script, shared } from './lua.ts';

/**
 * The newest entries that hold, of every group, at least one term. Arguments: prefix, how many entries of a list are
 * compared; for each request: limit, whether the oldest is asked for, whether the terms of the first group are
 * beginnings, number of groups, and for each the number of its terms and the terms. Answers, for each request, how
 * many there are or -1, the oldest, and the ids.
 */
const lists = `${header}
local prefix, compared = ARGV[1], tonumber(ARGV[2])
local at = 3
local function argument()
  at = at + 1
  return ARGV[at - 1]
end

local function bounds(term, beginning)
  local least = '[' .. prefix .. term .. '\\0'
  if beginning then return '[' .. prefix .. term, '(' .. prefix .. term .. '\\255' end
  return least, '(' .. prefix .. term .. '\\1'
end
local function idOf(posting) return string.sub(posting, -12) end

-- The ids of one group, newest first. Of a list that is cut, nothing below its cut is known.
local function idsOf(group, beginning, limit)
  local seen, ids, floor = {}, {}, ''
  for _, term in ipairs(group) do
    local least, greatest = bounds(term, beginning)
    local found = call('ZREVRANGEBYLEX', words, greatest, least, 'LIMIT', 0, limit)
    for _, posting in ipairs(found) do
      local id = idOf(posting)
      if not seen[id] then
        seen[id] = true
        ids[#ids + 1] = id
      end
    end
    if #found == limit and not beginning and idOf(found[limit]) > floor then floor = idOf(found[limit]) end
  end
  if #group > 1 or beginning then table.sort(ids, function(a, b) return a > b end) end
  while #ids > 0 and ids[#ids] < floor do
    seen[ids[#ids]] = nil
    ids[#ids] = nil
  end
  return ids, seen
end

local function sizeOf(group, beginning)
  local size = 0
  for _, term in ipairs(group) do
    local least, greatest = bounds(term, beginning)
    size = size + call('ZLEXCOUNT', words, least, greatest)
  end
  return size
end

local function holds(group, id)
  for _, term in ipairs(group) do
    if call('ZSCORE', words, prefix .. term .. '\\0' .. id) then return true end
  end
  return false
end

local answers = {}
while at <= #ARGV do
  local limit, wantsOldest, beginnings = tonumber(argument()), argument() == '1', argument() == '1'
  local groups = {}
  for i = 1, tonumber(argument()) do
    groups[i] = {}
    for j = 1, tonumber(argument()) do groups[i][j] = argument() end
  end
  -- Every entry of the scope holds the empty term.
  if #groups == 0 then groups[1] = { '' } end
  local count, ids = -1, {}
  if #groups == 1 then
    ids = idsOf(groups[1], beginnings, math.max(limit, beginnings and compared or 1))
    if #groups[1] == 1 and not beginnings then count = sizeOf(groups[1], false) end
  else
    local begun = beginnings and groups[1]
    local beginningIds, begins
    if begun then beginningIds, begins = idsOf(begun, true, compared) end
    table.sort(groups, function(a, b) return sizeOf(a, a == begun) < sizeOf(b, b == begun) end)
    local candidates = groups[1] == begun and beginningIds or idsOf(groups[1], false, compared)
    for _, id in ipairs(candidates) do
      local all = true
      for i = 2, #groups do
        if groups[i] == begun then all = begins[id] else all = holds(groups[i], id) end
        if not all then break end
      end
      if all then ids[#ids + 1] = id end
    end
  end
  local oldest = ''
  if wantsOldest and #ids > 0 then
    oldest = ids[#ids]
    if count > #ids then
      local least, greatest = bounds(groups[1][1], false)
      oldest = idOf(call('ZRANGEBYLEX', words, least, greatest, 'LIMIT', 0, 1)[1])
    end
  end
  local answer = { count, oldest }
  for i = 1, math.min(limit, #ids) do answer[i + 2] = ids[i] end
  answers[#answers + 1] = answer
end
return answers
`;

/** The entries whose texts have these ids: id, number of words, key, scope, entry. Arguments: ids. */
const rows = `${header}${shared}
local found = {}
for _, id in ipairs(ARGV) do
  local record = call('HGET', texts, id)
  if record then
    local count, key, scope
    local at = 1
    count, at = field(record, at)
    key, at = field(record, at)
    scope, at = field(record, at)
    local entry = call('HGET', values, key)
    if entry then found[#found + 1] = { id, count, key, scope, entry } end
  end
end
return found
`;

export const searchScripts = { lists: script(lists), rows: script(rows) };
