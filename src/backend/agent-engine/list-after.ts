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
}

/**
 * What was stored after an event: first what came late and is dated before it, then what is dated after it. The
 * service knows no "after this event", so the look begins a little before it and leaves out what was known.
 * @throws SessionError NOT_FOUND when the event is not there
 */
export async function listAfter(
  client: AgentEngineClient,
  ref: SessionRef,
  { start, pageSize, afterMs, signal }: ListAfter,
): Promise<{ items: Event[]; next?: AfterCursor | undefined }> {
  const session = sessionPath(client.endpoint, ref);
  // A late event was shown together with everything that was known then, later-dated as it is.
  const lateStart = client.lateEvents.get(session, start.anchor);
  const known = lateStart?.knownUntil ?? start.time;
  // Pages after the first have looked back already.
  const looksBack = start.late === undefined || start.moreLate === true;
  const from = looksBack ? earlier(client.lateEvents.reach(session, known), start.time) : start.time;
  const late: { wire: SessionEvent; order: number }[] = [];
  const later: SessionEvent[] = [];
  let anchored = false;
  let whole = true;
  let seenUntil = from;
  for await (const page of eventPages(client, ref, { pageSize: fullPage, from, signal })) {
    const seen = page.events.map((wire) => ({ id: idsOf(wire)[0] ?? '', instant: instantOf(wire) }));
    client.lateEvents.note(session, seenUntil, seen);
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
    if (later.length >= (looksBack ? pageSize : 1)) break;
    // So much lies in the time that is looked back over that it cannot be read each time.
    const isDense = !whole && !anchored && from < start.time && seenUntil < start.time;
    if (isDense) return listAfter(client, ref, { start: { ...start, late: 0 }, pageSize, afterMs, signal });
    // It is not where it was: somebody deleted the session and made it anew.
    if (!anchored && (whole || seenUntil > start.time)) throw eventNotFound();
  }
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
