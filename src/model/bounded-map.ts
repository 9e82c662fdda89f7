/** A map by text that forgets what was set longest ago when it has more than `most` entries. */
export type BoundedMap<T> = Pick<Map<string, T>, 'get' | 'set' | 'delete'>;

export function boundedMap<T>(most: number): BoundedMap<T> {
  const map = new Map<string, T>();
  return {
    get: (key) => map.get(key),
    delete: (key) => map.delete(key),
    set(key, value) {
      map.delete(key);
      map.set(key, value);
      const [oldest] = map.keys();
      if (map.size > most && oldest !== undefined) map.delete(oldest);
      return map;
    },
  };
}
