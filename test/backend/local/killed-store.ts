import type { Store } from '../../../src/store/types.ts';

/** A store as a process sees it that is killed after its `commits`-th commit: nothing works from then on. */
export function killedAfter(store: Store, commits: number): { store: Store; spare(): number } {
  let left = commits;
  let dead = false;
  const alive = async () => {
    if (dead) throw new Error('killed');
  };
  return {
    spare: () => left,
    store: {
      ...store,
      get: (keys) => alive().then(() => store.get(keys)),
      range: (range) => alive().then(() => store.range(range)),
      search: (...query) => alive().then(() => store.search(...query)),
      sweep: () => alive().then(() => store.sweep()),
      update: (keys, decide) =>
        alive().then(async () => {
          if (left === 0) {
            dead = true;
            throw new Error('killed');
          }
          let wrote = false;
          const result = await store.update(keys, (values) => {
            const decision = decide(values);
            wrote = decision.writes.length > 0;
            return decision;
          });
          if (wrote) left -= 1;
          return result;
        }),
      close: async () => {},
    },
  };
}
