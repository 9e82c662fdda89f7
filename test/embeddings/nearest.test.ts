import { expect, it } from 'vitest';
import { fuseRanks } from '../../src/embeddings/fuse.ts';
import { nearest } from '../../src/embeddings/nearest.ts';
import {
  type Direction,
  directionOf,
  directionOfText,
  textOfDirection,
} from '../../src/embeddings/vector.ts';
import { vectorSet } from '../../src/embeddings/vector-set.ts';

function direction(...vector: number[]): Direction {
  const found = directionOf(vector);
  if (found === undefined) throw new Error('The vector has no direction.');
  return found;
}

function setOf(vectors: Record<string, number[]>) {
  const set = vectorSet(Object.values(vectors)[0]?.length ?? 0);
  for (const [id, vector] of Object.entries(vectors)) set.add(id, direction(...vector));
  return set;
}

it('keeps a direction in a text, whatever the length of the vector', () => {
  const short = direction(1e-300, -5e-301, 0);
  expect([...short]).toEqual([127, -63, 0]);
  expect(directionOfText(textOfDirection(short))).toEqual(short);
  expect(directionOf([0, 0])).toBeUndefined();
  expect(directionOf([1, Number.POSITIVE_INFINITY])).toBeUndefined();
});

it('orders by cosine nearly as the numbers themselves do', async () => {
  let seed = 1;
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647 - 0.5;
  };
  const vectors = Array.from({ length: 500 }, () => Array.from({ length: 384 }, random));
  const query = (vectors[7] ?? []).map((value) => value + random());
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  const cosine = (a: number[]) => dot(a, query) / Math.sqrt(dot(a, a) * dot(query, query));
  const found = await nearest(
    [['g', setOf(Object.fromEntries(vectors.map((vector, i) => [`${i}`, vector])))]],
    direction(...query),
    500,
  );
  expect(found[0]?.id).toBe('7');
  for (const { id, cosine: quantised } of found)
    expect(quantised).toBeCloseTo(cosine(vectors[Number(id)] ?? []), 1.5);
});

it('finds what is nearer to the best than to the average, in all sets', async () => {
  const sets = [
    ['a', setOf({ same: [1, 0, 0], other: [0, 1, 0] })],
    ['b', setOf({ close: [0.9, 0.2, 0], against: [-1, 0, 0] })],
  ] as const;
  const found = await nearest(sets, direction(1, 0, 0), 10);
  expect(found.map(({ group, id }) => `${group} ${id}`)).toEqual(['a same', 'b close']);
  expect(await nearest(sets, direction(1, 0, 0), 1)).toMatchObject([{ id: 'same' }]);
});

it('finds nothing where all are alike', async () => {
  const alike = (count: number) =>
    setOf(Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}`, [1, 1]])));
  expect(await nearest([['g', alike(50)]], direction(1, 0), 10)).toEqual([]);
  expect(await nearest([['g', alike(2)]], direction(1, 0), 10)).toHaveLength(2);
});

it('takes vectors out again, and leaves out those of other dimensions', () => {
  const set = setOf({ a: [1, 0], b: [0, 1], c: [1, 1] });
  set.add('d', direction(1, 0, 0));
  set.remove('a');
  set.remove('unknown');
  const ids: string[] = [];
  set.compare(direction(1, 1), 0, set.size, (id) => ids.push(id));
  expect(ids.toSorted()).toEqual(['b', 'c']);
  set.remove('c');
  set.remove('b');
  expect(set.size).toBe(0);
});

it('fuses orders by reciprocal ranks: what both found first, then what words found', () => {
  expect([...fuseRanks(['a', 'b', 'c'], ['d', 'b']).keys()]).toEqual(['b', 'a', 'c', 'd']);
  expect([...fuseRanks([], ['d', 'b']).keys()]).toEqual(['d', 'b']);
});
