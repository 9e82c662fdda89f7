/**
 * Search by meaning without its endpoint: what reading a user's vectors into memory costs, and comparing them.
 *
 *   npm run bench -- vectors [DIMENSIONS]
 */
import path from 'node:path';
import * as keys from '../src/backend/local/keys.ts';
import { logText, vectorText } from '../src/backend/local/vector-record.ts';
import { vectorScopes } from '../src/backend/local/vector-scopes.ts';
import { nearest } from '../src/embeddings/nearest.ts';
import { type Direction, directionOf } from '../src/embeddings/vector.ts';
import { openSqlite } from '../src/store/sqlite/index.ts';
import { fixed, heading, machine, quantile, row, scratch, times, whole } from './tools.ts';

const owner = { app: 'bench', userId: 'u' };
const model = (dimensions: number) => ({ tag: 't', dimensions });

export default async function run(): Promise<void> {
  machine();
  const dimensions = Number(process.argv[3] ?? 384);
  heading(`Vectors of ${dimensions} numbers of one user`);
  for (const count of [10_000, 100_000]) await measure(count, dimensions);
}

async function measure(count: number, dimensions: number): Promise<void> {
  const store = await openSqlite({ path: path.join(scratch(), 'v.db'), durability: 'normal' });
  const slice = 1000;
  for (let from = 0; from < count; from += slice) {
    const writes = Array.from({ length: slice }, (_, i) => ({
      key: keys.memoryVectorKey(owner, `m${from + i}`),
      value: vectorText('t', someDirection(dimensions), 'g'),
    }));
    await store.update([], () => ({ result: undefined, writes }));
  }
  const log = { key: keys.vectorLogKey(owner), value: logText(undefined, 'l', ['m0']) };
  await store.update([], () => ({ result: undefined, writes: [log] }));
  const scopes = vectorScopes({ store, now: Date.now });
  const load = () => scopes.load(owner, 'memories', model(dimensions));
  const [first = 0] = await times(1, load);
  const searches = await times(50, async () => {
    const sets = Array.from(await load(), ([group, { set }]) => [group, set] as const);
    await nearest(sets, someDirection(dimensions), 200);
  });
  row(
    `${whole(count)} vectors`,
    `read ${fixed(first, 0)} ms, compared p50 ${fixed(quantile(searches, 0.5), 1)} ms`,
  );
  await store.close();
}

function someDirection(dimensions: number): Direction {
  const direction = directionOf(Array.from({ length: dimensions }, () => Math.random() - 0.5));
  if (direction === undefined) throw new Error('The vector has no direction.');
  return direction;
}
