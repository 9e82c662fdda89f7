import type { Event } from '../../model/event.ts';
import { eventNotFound } from '../shared/errors.ts';
import type { SessionRef } from '../types.ts';
import type { AgentEngineClient } from './client.ts';
import { eventPages, fullPage, type ListedEvent, listed, shownEvents } from './find-event.ts';
import { idsOf } from './map-event.ts';
import { sessionPath } from './paths.ts';

/** The event after which the next page begins. */
export interface AfterCursor {
  /** The event's time, as `instant` writes it. */
  time: string;
  anchor: string;
  /** The number of the last late event that earlier pages have shown. */
  late?: number | undefined;
  /** Whether more late events follow. */
  moreLate?: boolean | undefined;
}

export interface ListAfter {
  start: AfterCursor;
  pageSize: number;
  /** Only events later than this time, which is not after the event's own. */
  afterMs: number | undefined;
  signal: AbortSignal;
  /** Where the look begins. Default: on the first page `before`, later `event`. */
  from?: Look | undefined;
}

/** `before`: a little before the event. `latest`: at the last page of the session. `event`: at the event. */
type Look = 'before' | 'latest' | 'event';

/**
 * Lists what was stored after an event: first late events with an earlier date, then events with a later date. The
 * service cannot list by an event, so the look begins a little before it and leaves out what was known.
 * @throws SessionError NOT_FOUND when the event does not exist
 */
export async function listAfter(
  client: AgentEngineClient,
  ref: SessionRef,
  options: ListAfter,
): Promise<{ items: Event[]; next?: AfterCursor | undefined }> {
  const { start, pageSize } = options;
  // Only the first page looks back, and pages that still have late events to show.
  const look = options.from ?? (start.late === undefined || start.moreLate === true ? 'before' : 'event');
  const { late, later, anchored, whole, tooMuch } = await scan(client, ref, options, look);
  if (tooMuch) return listAfter(client, ref, { ...options, from: 'latest' });
  if (!anchored && look === 'latest') return listAfter(client, ref, { ...options, from: 'event' });
  // The event is not at its time: the session was deleted, and another one has its id.
  if (!anchored) throw eventNotFound();
  late.sort((a, b) => a.order - b.order);
  const first = late.slice(0, pageSize);
  const rest = later.slice(0, pageSize - first.length);
  const items = shownEvents(client, ref, [...first.map(({ event }) => event), ...rest]);
  if (whole && items.length === late.length + later.length) return { items };
  const last = rest.at(-1);
  const position = last === undefined ? start : { time: last.instant, anchor: last.id };
  const moreLate = late.length > first.length;
  return { items, next: { ...position, late: first.at(-1)?.order ?? start.late ?? 0, moreLate } };
}

interface Scanned {
  /** Events with an earlier date that were stored after the event, with their numbers. */
  late: { event: ListedEvent; order: number }[];
  later: ListedEvent[];
  /** Whether the event itself was found. */
  anchored: boolean;
  /** Whether the last page of the session was read. */
  whole: boolean;
  /** Whether the minute before the event holds more than a page, which is too much to read each time. */
  tooMuch: boolean;
}

/** Reads from where the look begins until there is a page of events after the one that the list begins at. */
async function scan(
  client: AgentEngineClient,
  ref: SessionRef,
  { start, pageSize, afterMs, signal }: ListAfter,
  look: Look,
): Promise<Scanned> {
  const session = sessionPath(client.endpoint, ref);
  // A caller who knows a late event knows all that was known when it appeared, also events with a later date.
  const lateStart = client.lateEvents.get(session, start.anchor);
  const known = lateStart?.knownUntil ?? start.time;
  const from = look === 'before' ? earlier(client.lateEvents.reach(session, known), start.time) : start.time;
  const pages =
    look === 'latest'
      ? latestPage(client, ref, signal)
      : eventPages(client, ref, { pageSize: fullPage, from, signal });
  /** The number of an event that was stored late and that the caller does not know; else undefined. */
  const lateOrder = ({ id, instant: time }: ListedEvent): number | undefined => {
    const noted = client.lateEvents.get(session, id);
    if (noted === undefined || noted.order <= (start.late ?? lateStart?.order ?? 0)) return undefined;
    if (afterMs !== undefined && Date.parse(time) <= afterMs) return undefined;
    return lateStart !== undefined || noted.knownUntil >= start.time ? noted.order : undefined;
  };
  const found: Scanned = { late: [], later: [], anchored: false, whole: true, tooMuch: false };
  let seenUntil = from;
  for await (const page of pages) {
    const events = page.events.map(listed);
    client.lateEvents.note(session, look === 'latest' ? (events[0]?.instant ?? '') : seenUntil, events);
    seenUntil = events.at(-1)?.instant ?? seenUntil;
    for (const event of events) {
      const { wire, instant: time } = event;
      const isLater = time > known || (time === known && found.anchored && lateStart === undefined);
      const order = isLater ? undefined : lateOrder(event);
      if (idsOf(wire).includes(start.anchor)) found.anchored = true;
      else if (isLater) found.later.push(event);
      else if (order !== undefined) found.late.push({ event, order });
    }
    found.whole = page.token === undefined;
    // Without late events to look for, a page with one event is enough: it saves another request.
    if (found.later.length >= (look === 'event' ? 1 : pageSize)) break;
    if (found.anchored || look === 'latest') continue;
    found.tooMuch = look === 'before' && !found.whole && seenUntil < start.time;
    if (found.tooMuch || found.whole || seenUntil > start.time) break;
  }
  return found;
}

const earlier = (a: string, b: string): string => (a < b ? a : b);

/** The latest events as the only page of a list, in ascending order. */
async function* latestPage(client: AgentEngineClient, ref: SessionRef, signal: AbortSignal) {
  for await (const { events } of eventPages(client, ref, { pageSize: fullPage, reverse: true, signal })) {
    yield { events: events.toReversed(), token: undefined };
    return;
  }
}
