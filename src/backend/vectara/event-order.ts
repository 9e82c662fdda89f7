import { invalidArgument, SessionError } from '../../errors.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { EventPage, EventPages } from './event-pages.ts';
import { orderedPage } from './ordered-page.ts';
import { microsField, textField } from './wire.ts';

/** Pages of 100 events that are read whole for an order that Vectara does not have. */
const mostUnsortedPages = 100;

export interface WireEventQuery {
  order: 'asc' | 'desc';
  pageSize: number;
  cursor?: string | undefined;
  /** Only events after this one. */
  after?: { id: string; time: number } | undefined;
  /** Only events that are later than this time, in microseconds. */
  laterThan?: number | undefined;
  /** What else may be on a page. */
  isWanted(wire: JsonObject): boolean;
}

export interface WireEvents {
  items: JsonObject[];
  cursor?: string | undefined;
}

/** Where a walk stands: in the page with this number, before the item with this offset, in its direction. */
interface Position {
  number: number;
  offset: number;
}

const idOf = (wire: JsonObject): string => textField(wire, 'id') ?? '';
const timeOf = (wire: JsonObject): number => microsField(wire, 'created_at');

/** Thrown within this file when a list that looked sorted is not. */
const notSorted = Symbol('not sorted');

/**
 * A page of a session's events in the order of their times. No source says how Vectara sorts its list
 * (docs/protocols/vectara.md, "Pages"), so its first page is looked at: a list that is sorted is read no further
 * than the answer needs, in the wanted direction or, from its end, in the other one; any other is read whole.
 *
 * @param openAt the list from the page with this key on
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
      // Backwards only a list from its beginning can be gone.
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

/** From a list that is sorted as `direction` says. */
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
    // What is of the same time and stands before the event does not come after it.
    if (isAnchor && query.order === 'asc') items.length = 0;
    // The newest come first: what follows is earlier still.
    if (tooEarly && query.order === 'desc') return { items };
    if (tooEarly || !query.isWanted(wire)) continue;
    items.push(wire);
    if (items.length < query.pageSize) continue;
    return { items, cursor: next && sealCursor({ ...next, sorted: direction, last: lastOf(wire) }) };
  }
  return { items };
}

/** Where events after a known one begin, in a list that goes forward; else its beginning. */
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

/** The last item of a list. Its pages are read once to get there, and from then on only the last one. */
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
  /** Where a later page of an answer goes on; undefined at the end. */
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

/** From a list in no order: all of it is read. */
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
        `The session has more than ${mostUnsortedPages * 100} events, and Vectara lists them in no order.`,
        { hint: 'Compact the session at Vectara, or read single events with get_event.' },
      );
  }
}

interface SortedCursor {
  /** How Vectara sorts the list. */
  sorted: 'asc' | 'desc';
  key: string | undefined;
  offset: number;
  /** Cursor of `orderedPage` for the last event, should the list turn out not to be sorted. */
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
