import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import { openEmbedder } from '../../src/embeddings/embedder.ts';
import { createLog } from '../../src/log.ts';
import { openStore } from '../../src/store/open.ts';
import type { Store } from '../../src/store/types.ts';
import type { FakeEmbeddings } from '../fake/embeddings/server.ts';

export const memoryStore = (): Promise<Store> =>
  openStore({ url: 'memory:', durability: 'normal', dataDir: tmpdir() });

export interface Options {
  /** Of another endpoint than the fake. */
  url?: string;
  store?: Store;
  model?: string;
  apiKey?: string;
  dimensions?: number;
  batchSize?: number;
  searchMs?: number;
  leaseMs?: number;
  now?: () => number;
  log?: string[];
}

/** The local backend with embeddings of a fake endpoint. */
export async function openWith(fake: Pick<FakeEmbeddings, 'url'>, options: Options = {}): Promise<Backend> {
  const { store, model = 'm', apiKey, dimensions, batchSize = 16, searchMs = 2000, leaseMs = 300 } = options;
  const log = createLog((line) => options.log?.push(line));
  return openLocal({
    store: store ?? (await memoryStore()),
    leaseMs,
    ...(options.now === undefined ? {} : { now: options.now }),
    embedder: openEmbedder(
      { baseUrl: options.url ?? fake.url, model, apiKey, dimensions, batchSize, searchMs },
      log,
    ),
    onError: (error) => options.log?.push(String(error)),
  });
}

/** Opens backends that are closed after each test. The endpoint's own afterEach goes before this: the last runs first. */
export function backendsOf(fake: () => FakeEmbeddings, newStore = memoryStore) {
  const open: Backend[] = [];
  afterEach(async () => {
    for (const backend of open.splice(0)) await backend.close();
  });
  return async (options: Options = {}): Promise<Backend> => {
    const backend = await openWith(fake(), { ...options, store: options.store ?? (await newStore()) });
    open.push(backend);
    return backend;
  };
}

export const owner = { app: 'a', userId: 'ann' };

export async function say(backend: Backend, sessionId: string, ...texts: string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const text of texts) {
    const appended = await backend.events?.append?.(
      { ...owner, sessionId },
      { author: 'user', content: { role: 'user', parts: [{ text }] } },
    );
    ids.push(appended?.event.id ?? '');
  }
  return ids;
}

export async function found(
  backend: Backend,
  text: string,
  more: { sessionId?: string; userId?: string } = {},
): Promise<string[]> {
  const answer = await backend.events?.search?.({ ...owner, text, limit: 10, around: 0, ...more });
  return (answer?.hits ?? []).map(({ event }) => event.content?.parts[0]?.text ?? '');
}

export async function remembered(
  backend: Backend,
  text: string,
  scope?: Record<string, string>,
): Promise<string[]> {
  const memories = await backend.memory?.search?.(owner, { text, limit: 10, ...(scope ? { scope } : {}) });
  return (memories ?? []).map(({ fact }) => fact);
}

export const noteOf = async (backend: Backend): Promise<string> =>
  (await backend.describe()).notes.find((note) => note.startsWith('Search finds')) ?? '';

/** Waits until the condition holds; the test's own time-out ends a wait in vain. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await sleep(20);
}

/** Until all texts have vectors. */
export const settled = (backend: Backend): Promise<void> =>
  until(async () => !/wait|still|looked/.test(await noteOf(backend)));

/** Keys of all that is stored of vectors. */
export async function vectorKeys(store: Store): Promise<string[]> {
  const rows = await store.range({ prefix: '', limit: 10_000 });
  return rows.map(({ key }) => key).filter((key) => /^x\/[^/]+\/y\//.test(key) || /^y[msw]\//.test(key));
}
