import fc from 'fast-check';
import { expect, it } from 'vitest';
import { orderedPage } from '../../../src/backend/vectara/ordered-page.ts';

interface Thing {
  id: string;
  time: number;
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T, void> {
  yield* items;
}

/** Reads all pages, one after the other; `between` may change the source between two of them. */
async function drain(source: readonly Thing[], order: 'asc' | 'desc', pageSize: number, after?: Thing) {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await orderedPage(each(source), {
      idOf: (thing) => thing.id,
      timeOf: (thing) => thing.time,
      order,
      pageSize,
      cursor,
      after,
    });
    expect(page.items.length).toBeLessThanOrEqual(pageSize);
    found.push(...page.items.map((thing) => thing.id));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

// Times with many ties, in the order of acceptance.
const accepted = fc
  .array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 900, size: 'max' })
  .map((times) => times.sort((a, b) => a - b).map((time, i): Thing => ({ id: `e${i}`, time })));

it('gives every thing once and in order, from a source that is in order either way', async () => {
  await fc.assert(
    fc.asyncProperty(
      accepted,
      fc.boolean(),
      fc.constantFrom('asc' as const, 'desc' as const),
      fc.integer({ min: 20, max: 100 }),
      fc.nat(),
      async (things, newestFirst, order, pageSize, pick) => {
        // Items of one single time show no direction; the source counts as oldest first.
        const tells = newestFirst && things[0]?.time !== things.at(-1)?.time;
        const source = tells ? things.toReversed() : things;
        const ids = things.map((thing) => thing.id);
        const wanted = order === 'asc' ? ids : ids.toReversed();
        expect(await drain(source, order, pageSize)).toEqual(wanted);
        const after = things[pick % things.length];
        const rest = ids.slice((pick % things.length) + 1);
        expect(await drain(source, order, pageSize, after)).toEqual(
          order === 'asc' ? rest : rest.toReversed(),
        );
      },
    ),
    { numRuns: 60, endOnFailure: true },
  );
});

it('gives every item once and in the order of time, from an unsorted source', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 900, size: 'max' }),
      fc.constantFrom('asc' as const, 'desc' as const),
      fc.integer({ min: 20, max: 100 }),
      async (times, order, pageSize) => {
        const source = times.map((time): Thing => ({ id: `t${time}`, time }));
        const wanted = times.toSorted((a, b) => (order === 'asc' ? a - b : b - a)).map((time) => `t${time}`);
        expect(await drain(source, order, pageSize)).toEqual(wanted);
      },
    ),
    { numRuns: 60, endOnFailure: true },
  );
});

it('goes on where the last thing of the page before is gone', async () => {
  const things = Array.from({ length: 6 }, (_, i): Thing => ({ id: `e${i}`, time: i }));
  const options = {
    idOf: (t: Thing) => t.id,
    timeOf: (t: Thing) => t.time,
    order: 'asc' as const,
    pageSize: 2,
  };
  const first = await orderedPage(each(things), options);
  const left = things.filter((thing) => thing.id !== 'e1');
  const second = await orderedPage(each(left), { ...options, cursor: first.cursor });
  expect(second.items.map((t) => t.id)).toEqual(['e2', 'e3']);
});

it('shows what has the time of an event that it cannot place, rather than lose it', async () => {
  const things = [
    { id: 'e0', time: 1 },
    { id: 'e1', time: 2 },
    { id: 'e2', time: 3 },
  ];
  const page = await orderedPage(each(things), {
    idOf: (t) => t.id,
    timeOf: (t) => t.time,
    order: 'asc',
    pageSize: 5,
    after: { id: 'hidden', time: 2 },
  });
  expect(page.items.map((t) => t.id)).toEqual(['e1', 'e2']);
});

it.each([264, 265, 266, 529, 530])(
  'loses nothing where it lets go of what it holds: %i things',
  async (count) => {
    const things = Array.from({ length: count }, (_, i): Thing => ({ id: `e${i}`, time: i }));
    const ids = things.map((thing) => thing.id);
    expect(await drain(things, 'asc', 1)).toEqual(ids);
    expect(await drain(things.toReversed(), 'asc', 1)).toEqual(ids);
  },
);

it('goes on after one of many things of the same time', async () => {
  const things = Array.from({ length: 600 }, (_, i): Thing => ({ id: `e${i}`, time: i < 400 ? 1 : i }));
  const found = await drain(things, 'asc', 2, things[398]);
  expect(found).toEqual(things.slice(399).map((thing) => thing.id));
  expect(await drain(things, 'desc', 2, things[398])).toEqual(found.toReversed());
});
