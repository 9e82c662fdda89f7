import { invalidArgument, SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { EventPage, EventPages } from './event-pages.ts';
import { orderedPage } from './ordered-page.ts';
import { microsField, textField } from './wire.ts';

/** Most pages of 100 events that are read to sort a list that Vectara does not sort. */
const mostUnsortedPages = 100;

export interface WireEventQuery {
  order: 'asc' | 'desc';
  pageSize: number;
  cursor?: string | undefined;
  /** Only events after this one. */
  after?: { id: string; time: number } | undefined;
  /** Only events that are later than this time, in microseconds. */
  laterThan?: number | undefined;
  /** Whether an event may be on a page. */
  isWanted(wire: JsonObject): boolean;
}

export interface WireEvents {
  items: JsonObject[];
  cursor?: string | undefined;
}

/** Where reading goes on: at the item with this offset, in the page with this number. */
interface Position {
  number: number;
  offset: number;
}

const idOf = (wire: JsonObject): string => textField(wire, 'id') ?? '';
const timeOf = (wire: JsonObject): number => microsField(wire, 'created_at');

/** Thrown and caught in this file: a list whose first page was sorted turns out not to be. */
const notSorted = Symbol('not sorted');

/**
 * Reads a page of a session's events in the order of their times. No source says how Vectara sorts its list
 * (docs/protocols/vectara.md, "Pages"), so the first page decides: a sorted list is read only as far as the answer
 * needs, from its beginning, or from its end when the caller wants the opposite order. An unsorted list is read
 * whole.
 *
 * @param openAt opens the list at the page with this key
 */
export async function eventsInOrder(
  pages: EventPages,
  openAt: (key: string) => EventPages,
  query: WireEventQuery,
): Promise<WireEvents> {
  const cursor = query.cursor === undefined ? undefined : openCursor(query.cursor);
  if (cursor !== undefined && cursor.kind === 'sorted') {
    const { key } = cursor;
    const number = pages.numberOf(key);
    try {
      if (number !== undefined) return await sorted(pages, query, cursor.sorted, { ...cursor, number });
      if (key !== undefined && cursor.sorted === query.order)
        return await sorted(openAt(key), query, cursor.sorted, { ...cursor, number: 0 });
      // To go back from a page, the pages before it must be known: they are read again from the beginning.
      const found = await numberByReading(pages, key);
      if (found !== undefined) return await sorted(pages, query, cursor.sorted, { ...cursor, number: found });
    } catch (error) {
      if (error !== notSorted) throw error;
    }
    return whole(pages, { ...query, cursor: cursor.last });
  }
  const first = await pages.page(0);
  const direction = cursor === undefined && first?.next !== undefined ? directionOf(first.items) : undefined;
  if (direction === undefined) return whole(pages, query);
  try {
    return await sorted(pages, query, direction);
  } catch (error) {
    if (error !== notSorted) throw error;
    return whole(pages, query);
  }
}

function directionOf(items: readonly JsonObject[]): 'asc' | 'desc' | undefined {
  const times = items.map(timeOf);
  const follows = (sign: number) =>
    times.every((time, i) => i === 0 || (time - (times[i - 1] ?? 0)) * sign >= 0);
  return follows(1) ? 'asc' : follows(-1) ? 'desc' : undefined;
}

/** Reads a page of a list that Vectara sorts in `direction`. */
async function sorted(
  pages: EventPages,
  query: WireEventQuery,
  direction: 'asc' | 'desc',
  from?: Position,
): Promise<WireEvents> {
  const step = direction === query.order ? 1 : -1;
  const sign = query.order === 'asc' ? 1 : -1;
  const { after, laterThan = Number.NEGATIVE_INFINITY } = query;
  const begin = from ?? (step === 1 ? await startOf(pages, query, direction) : await endOf(pages));
  const items: JsonObject[] = [];
  let previous: number | undefined;
  for await (const { wire, next } of walk(pages, begin, step)) {
    const time = timeOf(wire);
    if (previous !== undefined && (time - previous) * sign < 0) throw notSorted;
    previous = time;
    const isAnchor = after !== undefined && idOf(wire) === after.id;
    const tooEarly = isAnchor || time <= laterThan || (after !== undefined && time < after.time);
    // Events that have the anchor's time and stand before it are not after it.
    if (isAnchor && query.order === 'asc') items.length = 0;
    // The list goes from new to old, so all that follow are earlier still.
    if (tooEarly && query.order === 'desc') return { items };
    if (tooEarly || !query.isWanted(wire)) continue;
    items.push(wire);
    if (items.length < query.pageSize) continue;
    return { items, cursor: next && sealCursor({ ...next, sorted: direction, last: lastOf(wire) }) };
  }
  return { items };
}

/** Where the events after a known one begin, in a list that Vectara sorts by time; else the beginning. */
async function startOf(
  pages: EventPages,
  { after, order }: WireEventQuery,
  direction: 'asc' | 'desc',
): Promise<Position> {
  if (after === undefined || order !== 'asc' || direction !== 'asc') return { number: 0, offset: 0 };
  for (const { number, page } of pages.held()) {
    const offset = page.items.findIndex((wire) => idOf(wire) === after.id);
    if (offset >= 0) return { number, offset: offset + 1 };
  }
  return { number: 0, offset: 0 };
}

/** The last item of a list. The first call reads all pages to get there, later calls only the last page. */
async function endOf(pages: EventPages): Promise<Position> {
  for (let number = 0; ; number += 1) {
    const page = await pages.page(number);
    if (page === undefined) return { number: number - 1, offset: Number.POSITIVE_INFINITY };
    if (page.next === undefined) return { number, offset: page.items.length - 1 };
  }
}

async function numberByReading(pages: EventPages, key: string | undefined): Promise<number | undefined> {
  for (let number = 0; ; number += 1) {
    const page = await pages.page(number);
    if (page === undefined || page.key === key) return page && number;
  }
}

interface Step {
  wire: JsonObject;
  /** Where the caller's next page begins; undefined at the end. */
  next: { key: string | undefined; offset: number } | undefined;
}

async function* walk(pages: EventPages, from: Position, step: 1 | -1): AsyncGenerator<Step, void> {
  for (let { number, offset } = from; number >= 0; number += step) {
    const page = await pages.page(number);
    if (page === undefined) return;
    const { items, key } = page;
    for (let i = Math.min(offset, items.length - 1 + (step === 1 ? 1 : 0)); i in items; i += step) {
      const wire = items[i] ?? {};
      if (i + step in items) yield { wire, next: { key, offset: i + step } };
      else yield { wire, next: step === 1 ? startAfter(page) : await endBefore(pages, number) };
    }
    if (step === 1 && page.next === undefined) return;
    offset = step === 1 ? 0 : Number.POSITIVE_INFINITY;
  }
}

const startAfter = ({ next }: EventPage) => (next === undefined ? undefined : { key: next, offset: 0 });

async function endBefore(pages: EventPages, number: number) {
  const page = number === 0 ? undefined : await pages.page(number - 1);
  return page === undefined ? undefined : { key: page.key, offset: page.items.length - 1 };
}

/** Reads all of an unsorted list, and takes one page of it in order. */
async function whole(pages: EventPages, query: WireEventQuery): Promise<WireEvents> {
  const { laterThan = Number.NEGATIVE_INFINITY } = query;
  return orderedPage(all(pages), {
    idOf,
    timeOf,
    order: query.order,
    pageSize: query.pageSize,
    cursor: query.cursor,
    after: query.after,
    wanted: (wire) => timeOf(wire) > laterThan && query.isWanted(wire),
  });
}

async function* all(pages: EventPages): AsyncGenerator<JsonObject, void> {
  for (let number = 0; ; number += 1) {
    const page = await pages.page(number);
    if (page === undefined) return;
    yield* page.items;
    if (page.next === undefined) return;
    if (number + 1 === mostUnsortedPages)
      throw new SessionError(
        'FAILED_PRECONDITION',
        `The session has more than ${mostUnsortedPages * 100} events, and Vectara lists them unsorted.`,
        { hint: 'Compact the session at Vectara, or read single events with get_event.' },
      );
  }
}

interface SortedCursor {
  /** How Vectara sorts the list. */
  sorted: 'asc' | 'desc';
  key: string | undefined;
  offset: number;
  /** The cursor of `orderedPage` for the last event, for the case that the list turns out to be unsorted. */
  last: string;
}

const lastOf = (wire: JsonObject): string => `${timeOf(wire)}:${idOf(wire)}`;

const sealCursor = ({ sorted: direction, key, offset, last }: SortedCursor): string =>
  JSON.stringify({ sorted: direction, key, offset, last });

function openCursor(cursor: string): ({ kind: 'sorted' } & SortedCursor) | { kind: 'whole' } {
  if (!cursor.startsWith('{')) return { kind: 'whole' };
  const value = JSON.parse(cursor) as unknown;
  if (
    !isObject(value) ||
    (value.sorted !== 'asc' && value.sorted !== 'desc') ||
    typeof value.offset !== 'number' ||
    typeof value.last !== 'string'
  )
    throw invalidArgument('pageToken does not belong to this list.', 'Start again without pageToken.');
  const { sorted: direction, offset, last } = value;
  return { kind: 'sorted', sorted: direction, key: textField(value, 'key'), offset, last };
}
