import type { IdList, ListRequest } from '../ranking.ts';

/** An inverted index in memory: for every scope and term the ids of the entries that hold it. */
export interface WordLists {
  add(scope: string, terms: readonly string[], id: number): void;
  remove(scope: string, terms: readonly string[], id: number): void;
  lists(scope: string, requests: readonly ListRequest[]): IdList[];
}

/** Under no term: all entries of the scope. */
const everything = '';
/** Ids in ascending order. */
type Ids = number[];

export function wordLists(): WordLists {
  const scopes = new Map<string, Map<string, Ids>>();

  function idsOf(terms: ReadonlyMap<string, Ids>, group: readonly string[], beginnings: boolean): Ids {
    const [only] = group;
    if (group.length === 1 && only !== undefined && !beginnings) return terms.get(only) ?? [];
    const names = beginnings
      ? [...terms.keys()].filter((term) => group.some((start) => term !== '' && term.startsWith(start)))
      : group;
    return [...new Set(names.flatMap((term) => terms.get(term) ?? []))].sort((a, b) => a - b);
  }

  function list(terms: ReadonlyMap<string, Ids>, { groups, beginnings, limit, oldest }: ListRequest): IdList {
    const wanted = groups.length === 0 ? [[everything]] : groups;
    const all = wanted.map((group, i) => idsOf(terms, group, beginnings === true && i === 0));
    const [shortest = [], ...others] = all.sort((a, b) => a.length - b.length);
    const ids: number[] = [];
    let last: number | undefined;
    for (let i = shortest.length - 1; i >= 0; i--) {
      const id = shortest[i] ?? 0;
      if (!others.every((other) => other[position(other, id)] === id)) continue;
      if (ids.length < limit) ids.push(id);
      else if (oldest !== true) break;
      last = id;
    }
    return oldest === true ? { ids, oldest: last } : { ids };
  }

  return {
    add(scope, terms, id) {
      const lists = scopes.get(scope) ?? new Map<string, Ids>();
      scopes.set(scope, lists);
      for (const term of [everything, ...terms]) {
        const ids = lists.get(term) ?? [];
        lists.set(term, ids);
        const at = position(ids, id);
        if (ids[at] !== id) ids.splice(at, 0, id);
      }
    },
    remove(scope, terms, id) {
      const lists = scopes.get(scope);
      for (const term of [everything, ...terms]) {
        const ids = lists?.get(term) ?? [];
        const at = position(ids, id);
        if (ids[at] === id) ids.splice(at, 1);
        if (ids.length === 0) lists?.delete(term);
      }
      if (lists?.size === 0) scopes.delete(scope);
    },
    lists(scope, requests) {
      const terms = scopes.get(scope) ?? new Map<string, Ids>();
      return requests.map((request) => list(terms, request));
    },
  };
}

/** Of the first id that is not less. */
export function position(ids: Ids, id: number): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ids[middle] ?? 0) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
