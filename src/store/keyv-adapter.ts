import { EventEmitter } from 'node:events';
import { type KeyvStorageAdapter, type KeyvStorageEntry, keyvStorageCapability } from 'keyv';
import { SessionError } from '../errors.ts';
import { keyvPrefix } from './keys.ts';
import type { Put, Store } from './types.ts';

/** Entries that the iterator reads at a time. */
const pageSize = 100;

/**
 * A Keyv storage adapter on a store, under keys of its own: it neither sees nor touches anything else there.
 * Values are kept as JSON. Every call rejects with its own error; `error` events are never emitted. `setMany`
 * and `deleteMany` do all or nothing, and `clear` empties the adapter's namespace only, also where that is
 * none. `disconnect` does nothing: the store belongs to whoever opened it.
 *
 * Keyv sets `namespace` on its adapter, so give each Keyv an adapter of its own.
 */
export function keyvAdapter(store: Store, namespace?: string): KeyvStorageAdapter {
  const prefix = () => `${keyvPrefix}${encode(adapter.namespace ?? '')}/`;
  const rawKey = (key: string) => prefix() + encode(key);

  async function getMany<Value>(keys: string[]): Promise<(Value | undefined)[]> {
    const texts = await store.get(keys.map(rawKey));
    return texts.map((text) => (text === undefined ? undefined : parse<Value>(text)));
  }

  async function setMany<Value>(entries: KeyvStorageEntry<Value>[]): Promise<boolean[]> {
    const writes = entries.map(
      ({ key, value, expires }): Put => ({
        key: rawKey(key),
        value: stringify(value),
        expires: time(expires),
      }),
    );
    await store.update([], () => ({ result: undefined, writes }));
    return entries.map(() => true);
  }

  async function hasMany(keys: string[]): Promise<boolean[]> {
    const texts = await store.get(keys.map(rawKey));
    return texts.map((text) => text !== undefined);
  }

  async function deleteMany(keys: string[]): Promise<boolean[]> {
    const raw = keys.map(rawKey);
    return store.update(raw, (texts) => ({
      result: texts.map((text) => text !== undefined),
      writes: raw.map((drop) => ({ drop })),
    }));
  }

  async function* iterator<Value>(): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    const under = prefix();
    for (let after: string | undefined; ; ) {
      const page = await store.range({ prefix: under, after, limit: pageSize });
      for (const { key, value } of page)
        yield [decode(key.slice(under.length)), parse<Awaited<Value>>(value)];
      if (page.length < pageSize) return;
      after = page.at(-1)?.key;
    }
  }

  const methods = {
    namespace,
    getMany,
    setMany,
    hasMany,
    deleteMany,
    iterator,
    async get<Value>(key: string) {
      return (await getMany<Value>([key]))[0];
    },
    async set(key: string, value: unknown, expires?: number) {
      await setMany([expires === undefined ? { key, value } : { key, value, expires }]);
      return true;
    },
    async has(key: string) {
      return (await hasMany([key]))[0] === true;
    },
    async delete(key: string) {
      return (await deleteMany([key]))[0] === true;
    },
    async clear() {
      await store.update([], () => ({ result: undefined, writes: [{ dropPrefix: prefix() }] }));
    },
    async disconnect() {},
  };
  // Only the type of what listeners() returns is in the way.
  const events = new EventEmitter() as unknown as Omit<KeyvStorageAdapter, keyof typeof methods>;
  const adapter: KeyvStorageAdapter = Object.assign(events, methods, {
    capabilities: keyvStorageCapability(methods),
  });
  return adapter;
}

// Wrapped, because a value may be undefined, which alone has no JSON.
const stringify = (value: unknown): string => JSON.stringify({ value });

function parse<Value>(text: string): Value {
  try {
    return (JSON.parse(text) as { value: Value }).value;
  } catch (cause) {
    throw new SessionError('FAILED_PRECONDITION', 'A stored value is damaged.', {
      hint: 'Set or delete its key, or restore the store from a backup.',
      cause,
    });
  }
}

/** Keyv's time of expiry, in milliseconds. A value that is not a number means never. */
function time(expires: number | undefined): number | undefined {
  return expires !== undefined && Number.isFinite(expires) ? Math.ceil(expires) : undefined;
}

// "/" ends the namespace; NUL, and a surrogate without its pair, no key may hold.
const encode = (part: string): string =>
  part.replace(/[%/\0]|\p{Surrogate}/gu, (c) => `%${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
const decode = (part: string): string =>
  part.replace(/%([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
