import type { Event } from '../../model/event.ts';
import { eventNotFound } from '../shared/errors.ts';
import type { SessionRef } from '../types.ts';
import type { AgentEngineClient } from './client.ts';
import { eventPages, fullPage, instantOf, rememberEvents } from './find-event.ts';
import { idsOf, toEvent } from './map-event.ts';
import { sessionPath } from './paths.ts';
import type { SessionEvent } from './wire-types.ts';

/** The event after which a list goes on. */
export interface AfterCursor {
  /** Its time, as `instant` writes it. */
  time: string;
  anchor: string;
  /** Late events up to this one were shown on earlier pages. */
  late?: number | undefined;
  /** More late events are to be shown. */
  moreLate?: boolean | undefined;
}

export interface ListAfter {
  start: AfterCursor;
  pageSize: number;
  /** Only events later than this, which is not after the event. */
  afterMs: number | undefined;
  signal: AbortSignal;
  /** Where the look begins. Default: as far back as late events are looked for, on the first page. */
  from?: Look | undefined;
}

/** A little before the event; so that the latest events are seen; or at the event. */
type Look = 'before' | 'latest' | 'event';

/**
 * What was stored after an event: first what came late and is dated before it, then what is dated after it. The
 * service knows no "after this event", so the look begins a little before it and leaves out what was known.
 * @throws SessionError NOT_FOUND when the event is not there
 */
export async function listAfter(
  client: AgentEngineClient,
  ref: SessionRef,
  options: ListAfter,
): Promise<{ items: Event[]; next?: AfterCursor | undefined }> {
  const { start, pageSize, afterMs, signal } = options;
  const session = sessionPath(client.endpoint, ref);
  // A late event was shown together with everything that was known then, later-dated as it is.
  const lateStart = client.lateEvents.get(session, start.anchor);
  const known = lateStart?.knownUntil ?? start.time;
  // Pages after the first have looked back already.
  const look = options.from ?? (start.late === undefined || start.moreLate === true ? 'before' : 'event');
  const back = earlier(client.lateEvents.reach(session, known), start.time);
  const from = look === 'before' ? back : start.time;
  const pages =
    look === 'latest'
      ? latestPage(client, ref, signal)
      : eventPages(client, ref, { pageSize: fullPage, from, signal });
  const late: { wire: SessionEvent; order: number }[] = [];
  const later: SessionEvent[] = [];
  let anchored = false;
  let whole = true;
  let seenUntil = from;
  for await (const page of pages) {
    const seen = page.events.map((wire) => ({ id: idsOf(wire)[0] ?? '', instant: instantOf(wire) }));
    client.lateEvents.note(session, look === 'latest' ? (seen[0]?.instant ?? '') : seenUntil, seen);
    seenUntil = seen.at(-1)?.instant ?? seenUntil;
    for (const [i, wire] of page.events.entries()) {
      const { id, instant: time } = seen[i] ?? { id: '', instant: '' };
      if (idsOf(wire).includes(start.anchor)) anchored = true;
      else if (time > known || (time === known && anchored && lateStart === undefined)) later.push(wire);
      else {
        const event = client.lateEvents.get(session, id);
        const isNew =
          event !== undefined &&
          (afterMs === undefined || Date.parse(time) > afterMs) &&
          event.order > (start.late ?? lateStart?.order ?? 0) &&
          (lateStart !== undefined || event.knownUntil >= start.time);
        if (isNew) late.push({ wire, order: event.order });
      }
    }
    whole = page.token === undefined;
    // A short page costs less than another request.
    if (later.length >= (look === 'event' ? 1 : pageSize)) break;
    if (anchored || look === 'latest') continue;
    // So much lies in the time that is looked back over that it cannot be read each time.
    if (look === 'before' && !whole && seenUntil < start.time)
      return listAfter(client, ref, { ...options, from: 'latest' });
    if (whole || seenUntil > start.time) break;
  }
  if (!anchored && look === 'latest') return listAfter(client, ref, { ...options, from: 'event' });
  // It is not where it was: somebody deleted the session and made it anew.
  if (!anchored) throw eventNotFound();
  late.sort((a, b) => a.order - b.order);
  const first = late.slice(0, pageSize);
  const rest = later.slice(0, pageSize - first.length);
  const shown = [...first.map(({ wire }) => wire), ...rest];
  rememberEvents(client, ref, shown);
  const items = shown.map(toEvent);
  if (whole && shown.length === late.length + later.length) return { items };
  const last = rest.at(-1);
  const position = last === undefined ? start : { time: instantOf(last), anchor: idsOf(last)[0] ?? '' };
  const moreLate = late.length > first.length;
  return { items, next: { ...position, late: first.at(-1)?.order ?? start.late ?? 0, moreLate } };
}

const earlier = (a: string, b: string): string => (a < b ? a : b);

/** The latest events as a page in their order, with nothing after it. */
async function* latestPage(client: AgentEngineClient, ref: SessionRef, signal: AbortSignal) {
  for await (const { events } of eventPages(client, ref, { pageSize: fullPage, reverse: true, signal })) {
    yield { events: events.toReversed(), token: undefined };
    return;
  }
}
