import { expect, test } from 'vitest';
import {
  type IndexedRow,
  type IndexReader,
  type ListRequest,
  listLimit,
  rank,
  rankSync,
  type SyncIndexReader,
} from '../../src/store/ranking.ts';
import type { IndexedText } from '../../src/store/types.ts';
import { indexTerms, tagTerm } from '../../src/store/words.ts';

/** The least index there can be: every list is made by looking at every entry. */
function indexOf(texts: readonly IndexedText[]) {
  const entries = texts.map(({ scope, body, tags = [] }, i) => {
    const words = indexTerms(body);
    const row: IndexedRow = { id: i + 1, key: `k${i + 1}`, value: body, scope, terms: words.length };
    return { row, terms: [...words, ...tags.map(tagTerm)] };
  });
  const rounds: (readonly ListRequest[] | 'rows')[] = [];
  const holds = (terms: readonly string[], wanted: string, beginning: boolean) =>
    terms.some((term) => (beginning ? term.startsWith(wanted) : term === wanted));
  const reader: SyncIndexReader = {
    lists(scope, requests) {
      rounds.push(requests);
      return requests.map(({ groups, beginnings, limit, oldest }) => {
        const ids = entries
          .filter(
            ({ row, terms }) =>
              row.scope === scope &&
              groups.every((group, i) =>
                group.some((wanted) => holds(terms, wanted, beginnings === true && i === 0)),
              ),
          )
          .map(({ row }) => row.id);
        return { ids: ids.toReversed().slice(0, limit), ...(oldest === true ? { oldest: ids[0] } : {}) };
      });
    },
    rows(ids) {
      rounds.push('rows');
      return entries.flatMap(({ row }) => (ids.includes(row.id) ? [row] : []));
    },
  };
  return { reader, rounds };
}

const text = (body: string, ...tags: string[]): IndexedText => ({ scope: 's', body, tags });
const drinks = [
  text('Ann drinks green tea', 'by:ann'),
  text('Bob drinks coffee', 'by:bob'),
  text('Green fields'),
];

test('an engine that answers later finds the same', async () => {
  const { reader } = indexOf(drinks);
  const later: IndexReader = {
    lists: async (scope, requests) => reader.lists(scope, requests),
    rows: async (ids) => reader.rows(ids),
  };
  for (const query of ['green tea', 'drinks', 'nothing of it', '']) {
    const wanted = { scope: 's', text: query, limit: 10 };
    expect(await rank(wanted, 0, later)).toEqual(rankSync(wanted, 0, reader));
  }
  expect(rankSync({ scope: 's', text: 'green tea', limit: 10 }, 0, reader).map((hit) => hit.key)).toEqual([
    'k1',
    'k3',
  ]);
});

test('a search of rare words asks twice: for lists, then for entries', () => {
  const { reader, rounds } = indexOf(drinks);
  rankSync({ scope: 's', text: 'the green tea of Ann', limit: 1, tags: [['by:ann']] }, 0, reader);
  expect(rounds.map((round) => (round === 'rows' ? round : round.length))).toEqual([7, 'rows']);
});

test('asks for no entries where there are none', () => {
  const { reader, rounds } = indexOf([]);
  expect(rankSync({ scope: 's', text: 'tea', limit: 10 }, 0, reader)).toEqual([]);
  expect(rounds).toHaveLength(1);
});

test('an entry of another scope whose lists an index mixes up, or one that has expired, is no hit', () => {
  const { reader } = indexOf([text('tea'), text('tea')]);
  const mixed: SyncIndexReader = {
    ...reader,
    rows: (ids) =>
      reader.rows(ids).map((row) => (row.id === 1 ? { ...row, scope: 't' } : { ...row, expires: 5 })),
  };
  const query = { scope: 's', text: 'tea', limit: 10 };
  expect(rankSync(query, 4, mixed).map((hit) => hit.key)).toEqual(['k2']);
  expect(rankSync(query, 5, mixed)).toEqual([]);
});

test('of a word that is everywhere no more is looked at than the limit, and an old entry with all words is found', () => {
  const many = Array.from({ length: listLimit + 2000 }, (_, i) => text(i < 10 ? 'tea old' : `tea ${i}`));
  const { reader, rounds } = indexOf(many);
  const hits = rankSync({ scope: 's', text: 'tea old', limit: 5 }, 0, reader);
  expect(hits.map((hit) => hit.key)).toEqual(['k10', 'k9', 'k8', 'k7', 'k6']);
  for (const round of rounds)
    if (round !== 'rows') for (const request of round) expect(request.limit).toBe(listLimit);
});
