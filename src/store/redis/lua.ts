import { createHash } from 'node:crypto';

/**
 * What runs inside Redis: a script is one transaction, which nobody else interrupts. Every script is given all
 * keys of the store in this order, so that none is touched that was not named.
 *
 * - values: hash, key of the port → entry (`entry.ts`)
 * - order: sorted set of the keys, all with score 0, so that they are in the order of their bytes
 * - expiry: sorted set of the keys that expire, by time
 * - words: sorted set with score 0 of `SCOPE TERM NUL ID`: the lists of entries of every term
 * - texts: hash, id of an indexed text → `COUNT NUL KEY NUL SCOPE NUL PREFIX NUL TERMS`
 * - textIds: hash, key → the id of its text. Ids grow, and an entry keeps its own.
 * - meta: hash, `format` and `lastText`
 * - turn: who alone may commit for a moment
 */
export const parts = ['values', 'order', 'expiry', 'words', 'texts', 'textIds', 'meta', 'turn'] as const;

/** The name in Redis of a part of the store. One hash tag, so that a proxy before several servers keeps them together. */
export const keyOf =
  ({ prefix }: { prefix: string }) =>
  (part: string): string =>
    `{${prefix}}:${part}`;

export const header = `local values, order, expiry, words, texts, textIds, meta, turn, done = unpack(KEYS)
local call = redis.call
`;

/** A list of arguments is as long as Lua's stack allows, and no longer. */
export const shared = `
local function inChunks(command, key, list)
  for from = 1, #list, 1000 do
    call(command, key, unpack(list, from, math.min(from + 999, #list)))
  end
end

local function field(record, from)
  local stop = string.find(record, '\\0', from, true)
  return string.sub(record, from, stop - 1), stop + 1
end

local function postings(prefix, terms, id)
  local list = { prefix .. '\\0' .. id }
  for term in string.gmatch(terms, '[^ ]+') do list[#list + 1] = prefix .. term .. '\\0' .. id end
  return list
end

local function dropText(key, id)
  local record = call('HGET', texts, id)
  if not record then return end
  local _, prefix
  local at = 1
  for _ = 1, 3 do _, at = field(record, at) end
  prefix, at = field(record, at)
  inChunks('ZREM', words, postings(prefix, string.sub(record, at), id))
  call('HDEL', texts, id)
end

local function drop(key)
  if call('HDEL', values, key) == 0 then return end
  call('ZREM', order, key)
  call('ZREM', expiry, key)
  local id = call('HGET', textIds, key)
  if id then
    dropText(key, id)
    call('HDEL', textIds, key)
  end
end
`;

export interface Script {
  source: string;
  sha1: string;
}

export const script = (source: string): Script => ({
  source,
  sha1: createHash('sha1').update(source).digest('hex'),
});
