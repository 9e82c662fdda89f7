import { type Direction, lengthOf } from './vector.ts';

/** The vectors of some texts, one beside the other in memory, to be compared with that of a query. */
export interface VectorSet {
  readonly size: number;
  /** Bytes that it takes, about. */
  readonly bytes: number;
  /** The id that was added last, even if it is gone. */
  readonly last: string | undefined;
  /** Replaces the vector of the id. One with another number of dimensions is left out. */
  add(id: string, direction: Direction): void;
  remove(id: string): void;
  /** Cosines of those numbered `from` to below `to`, with their ids. */
  compare(query: Direction, from: number, to: number, found: (id: string, cosine: number) => void): void;
}

/** What an id and its place cost beside the vector. */
const bytesOfId = 100;

export function vectorSet(dimensions: number): VectorSet {
  const ids: string[] = [];
  const places = new Map<string, number>();
  // Many sessions have few events.
  let data = new Int8Array(2 * dimensions);
  let lengths = new Float32Array(2);
  let latest: string | undefined;

  function grow(): void {
    const wider = new Int8Array(2 * data.length);
    wider.set(data);
    data = wider;
    const longer = new Float32Array(2 * lengths.length);
    longer.set(lengths);
    lengths = longer;
  }

  return {
    get size() {
      return ids.length;
    },
    get bytes() {
      return data.length + 4 * lengths.length + bytesOfId * ids.length;
    },
    get last() {
      return latest;
    },
    add(id, direction) {
      if (direction.length !== dimensions) return;
      latest = id;
      const place = places.get(id) ?? ids.length;
      if (place === lengths.length) grow();
      data.set(direction, place * dimensions);
      lengths[place] = lengthOf(direction);
      if (place === ids.length) ids.push(id);
      places.set(id, place);
    },
    remove(id) {
      const place = places.get(id);
      if (place === undefined) return;
      const last = ids.pop();
      places.delete(id);
      if (last === undefined || last === id) return;
      // The last one takes the place.
      data.copyWithin(place * dimensions, ids.length * dimensions, (ids.length + 1) * dimensions);
      lengths[place] = lengths[ids.length] ?? 0;
      ids[place] = last;
      places.set(last, place);
    },
    compare(query, from, to, found) {
      const queryLength = lengthOf(query);
      for (let place = from; place < Math.min(to, ids.length); place += 1) {
        const offset = place * dimensions;
        let sum = 0;
        for (let i = 0; i < dimensions; i += 1)
          sum = (sum + Math.imul(data[offset + i] as number, query[i] as number)) | 0;
        found(ids[place] as string, sum / (queryLength * (lengths[place] as number)));
      }
    },
  };
}
