import type { ChildProcess } from 'node:child_process';
import { expect } from 'vitest';
import type { Store } from '../../src/store/types.ts';
import { scriptsBeside } from '../scripts.ts';

export const { start, run } = scriptsBeside(import.meta.url);

/** Processes that append to one list (`fixtures/append.ts`), and what they were told. */
export interface Writers {
  acknowledged: ReadonlyMap<number, string>;
  /** How often an append was refused, by the code of the error. */
  failed: ReadonlyMap<string, number>;
  /** Kills one with SIGKILL and starts another. */
  replace(index: number): void;
  killAll(): Promise<void>;
}

export function startWriters(url: string, count: number, loops: number): Writers {
  const acknowledged = new Map<number, string>();
  const failed = new Map<string, number>();
  const ended: Promise<unknown>[] = [];
  let started = 0;

  function hear(line: string): void {
    const [kind, what = '', text = ''] = line.split(' ');
    if (kind === 'failed') failed.set(what, (failed.get(what) ?? 0) + 1);
    else if (acknowledged.has(Number(what))) throw new Error(`entry ${what} was acknowledged twice`);
    else acknowledged.set(Number(what), text);
  }

  function writer(): ChildProcess {
    const child = start('append.ts', url, `w${started++}`, String(loops));
    let rest = '';
    child.stdout?.on('data', (chunk) => {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) hear(line);
    });
    ended.push(new Promise((resolve) => child.on('close', resolve)));
    return child;
  }

  const writers = Array.from({ length: count }, writer);
  return {
    acknowledged,
    failed,
    replace(index) {
      writers[index]?.kill('SIGKILL');
      writers[index] = writer();
    },
    async killAll() {
      for (const child of writers) child.kill('SIGKILL');
      await Promise.all(ended);
    },
  };
}

/** What was acknowledged is there, nothing is there twice or by half, and the index knows all of it. */
export async function expectExact(store: Store, { acknowledged }: Writers): Promise<void> {
  const a = await everything(store, 'a/');
  const b = await everything(store, 'b/');
  const [length] = await store.get(['length']);
  for (const [number, text] of acknowledged) expect(a.get(`${number}`)).toBe(text);
  expect(b).toEqual(a);
  expect(a.size).toBe(Number(length));
  expect(new Set(a.values()).size).toBe(a.size);
  while (await store.sweep());
  expect(await store.search({ scope: 'all', text: 'every', limit: 10 })).toHaveLength(Math.min(10, a.size));
  // Each text is found by its own number.
  for (const text of [...a.values()].slice(-5))
    expect(await store.search({ scope: 'all', text, limit: 1 })).toMatchObject([{ value: text }]);
}

async function everything(store: Store, prefix: string): Promise<Map<string, string>> {
  const entries = await store.range({ prefix, limit: 10_000_000 });
  return new Map(entries.map(({ key, value }) => [key.slice(prefix.length), value]));
}

/** 8 processes with 32 updates in flight each, on so many lists: none is lost, none doubled. */
export async function expectExactCounts(store: Store, url: string, lists: number): Promise<void> {
  const each = 150;
  await Promise.all(Array.from({ length: 8 }, () => run('count.ts', url, String(each), String(lists))));
  const counts = await store.get(Array.from({ length: lists }, (_, i) => `l${i}`));
  expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(8 * each);
  const values = new Set<string>();
  for (const [i, count] of counts.entries()) {
    const entries = await store.range({ prefix: `l${i}/`, limit: 10_000 });
    expect(entries.map(({ key }) => Number(key.split('/')[1]))).toEqual(
      Array.from({ length: Number(count) }, (_, n) => n + 1),
    );
    for (const { value } of entries) values.add(value);
  }
  expect(values.size).toBe(8 * each);
}
