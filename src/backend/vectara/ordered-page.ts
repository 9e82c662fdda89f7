import type { Page } from '../../model/page.ts';

/** An item with its time and with its place in the order of arrival. */
interface Placed<T> {
  item: T;
  id: string;
  /** In any unit. */
  time: number;
  arrival: number;
}

export interface OrderedPageOptions<T> {
  idOf(item: T): string;
  timeOf(item: T): number;
  order: 'asc' | 'desc';
  pageSize: number;
  /** Of the previous page: its last item. */
  cursor?: string | undefined;
  /** Only items after this one, in either order. Its time counts even if it does not arrive. */
  after?: { id: string; time: number } | undefined;
  /** Whether an item may be on the page. The others still help to find out how the source is sorted. */
  wanted?(item: T): boolean;
}

/**
 * One page of items in the order of time, from a source whose order is not documented (docs/protocols/vectara.md,
 * "Pages"). All of the source is read, and little more than a page of it kept in memory. Items of the same time stay
 * in the order of arrival, or in the opposite order when the source sends the newest first.
 */
export async function orderedPage<T>(
  source: AsyncIterable<T>,
  options: OrderedPageOptions<T>,
): Promise<Page<T>> {
  const { order, pageSize } = options;
  const cursor = options.cursor === undefined ? undefined : openCursor(options.cursor);
  const sign = order === 'asc' ? 1 : -1;
  let kept: Placed<T>[] = [];
  let arrivals = 0;
  let trend = 0;
  let previous: number | undefined;
  let cursorArrival: number | undefined;
  let afterArrival: number | undefined;

  for await (const item of source) {
    const placed = { item, id: options.idOf(item), time: options.timeOf(item), arrival: arrivals };
    arrivals += 1;
    if (previous !== undefined) trend += Math.sign(placed.time - previous);
    previous = placed.time;
    if (placed.id === cursor?.id) cursorArrival = placed.arrival;
    if (placed.id === options.after?.id) afterArrival = placed.arrival;
    if (options.wanted?.(item) === false) continue;
    if (options.after !== undefined && placed.time < options.after.time) continue;
    if (cursor !== undefined && (placed.time - cursor.time) * sign < 0) continue;
    kept.push(placed);
    if (kept.length > 8 * pageSize + 256)
      kept = nearest(kept, sign, pageSize, [cursor?.time, options.after?.time]);
  }

  const tie = trend < 0 ? -1 : 1;
  const compare = (a: { time: number; arrival: number }, b: { time: number; arrival: number }) =>
    a.time - b.time || tie * (a.arrival - b.arrival);
  const rest = kept
    .filter((placed) => {
      if (placed.id === cursor?.id || placed.id === options.after?.id) return false;
      // An anchor that is deleted or hidden does not arrive, so its place among items of its time is unknown.
      // After an event they are all shown: twice is better than never. After a cursor none is, so that pages end.
      if (options.after !== undefined && afterArrival !== undefined)
        if (compare(placed, { time: options.after.time, arrival: afterArrival }) < 0) return false;
      if (cursor === undefined) return true;
      if (cursorArrival === undefined) return placed.time !== cursor.time;
      return compare(placed, { time: cursor.time, arrival: cursorArrival }) * sign > 0;
    })
    .sort((a, b) => compare(a, b) * sign);
  const page = rest.slice(0, pageSize);
  const last = page.at(-1);
  return {
    items: page.map((placed) => placed.item),
    cursor: rest.length > page.length && last !== undefined ? sealCursor(last) : undefined,
  };
}

/**
 * The items that can still be on the page: the first by time, and all that have the time of the last of these or of
 * an anchor. Items of an anchor's time are not counted, because it is not known yet which of them come after it.
 */
function nearest<T>(
  kept: Placed<T>[],
  sign: number,
  pageSize: number,
  anchors: readonly (number | undefined)[],
): Placed<T>[] {
  const beyond = kept
    .map((placed) => placed.time)
    .filter((time) => !anchors.includes(time))
    .sort((a, b) => (a - b) * sign);
  // One more than a page, to know that there is another page.
  const limit = beyond[pageSize];
  return limit === undefined ? kept : kept.filter((placed) => (placed.time - limit) * sign <= 0);
}

const sealCursor = (placed: { time: number; id: string }): string => `${placed.time}:${placed.id}`;

function openCursor(cursor: string): { time: number; id: string } {
  const colon = cursor.indexOf(':');
  return { time: Number(cursor.slice(0, colon)), id: cursor.slice(colon + 1) };
}
