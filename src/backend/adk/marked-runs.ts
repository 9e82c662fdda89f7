import type { Event } from '../../model/event.ts';
import type { RunStatus } from '../../model/run.ts';
import type { MarkedRun, SessionRef } from '../types.ts';
import type { Adk } from './client.ts';
import { toEvent } from './map-event.ts';
import { fallbackOf } from './map-session.ts';
import { msOf } from './map-time.ts';
import { checked } from './paths.ts';
import { readSession } from './read-session.ts';
import { markIn } from './run-mark.ts';
import type { WireSession } from './wire.ts';

/** Milliseconds of silence after which an event that looks like the last is taken for it. */
const settleMs = 10_000;

/** The latest run under an id of ours, by its mark. Undefined where no event of the session bears it. */
export async function findMarkedRun(
  adk: Adk,
  ref: SessionRef,
  invocationId: string,
): Promise<MarkedRun | undefined> {
  const wire = await readSession(adk, checked(ref));
  const start = wire.events.findLastIndex((event) => markIn(event)?.invocationId === invocationId);
  const first = wire.events[start];
  const mark = first === undefined ? undefined : markIn(first);
  if (first === undefined || mark === undefined) return undefined;
  const places = placesOf(wire, start, first.invocationId);
  const events = places
    .map((place) => toEvent(wire.events[place] ?? {}, fallbackOf(wire, place)))
    .filter((event) => event.author !== 'user');
  const silentMs = Date.now() - lastSignOf(wire, places);
  return {
    run: {
      invocationId,
      status: statusOf(events, silentMs, adk.runIdleMs),
      author: events.at(-1)?.author ?? ref.app,
    },
    digest: mark.digest,
    events,
  };
}

/** Where the events of a run are, its message first. A server may go on with an invocation in a later run. */
function placesOf(wire: WireSession, start: number, invocationId: unknown): number[] {
  const places: number[] = [];
  for (let place = start; place < wire.events.length; place += 1) {
    const event = wire.events[place] ?? {};
    if (event.invocationId !== invocationId) continue;
    if (place > start && markIn(event) !== undefined) break;
    places.push(place);
  }
  return places;
}

/**
 * How a run stands that nobody of this process follows. The server may go on with it, or another process of ours
 * may: it is lost only when it was silent for longer than a run may be.
 */
function statusOf(events: readonly Event[], silentMs: number, idleMs: number): RunStatus {
  const isSettled = events.at(-1)?.turnComplete === true || silentMs >= Math.min(settleMs, idleMs);
  if (endsWell(events) && isSettled) return 'completed';
  return silentMs < idleMs ? 'running' : 'interrupted';
}

/**
 * Whether an agent may have come to its end. Servers store no mark of it: it shows in the last event, as in ADK's
 * own `is_final_response`. https://google.github.io/adk-docs/events/
 */
function endsWell(events: readonly Event[]): boolean {
  const last = events.at(-1);
  if (last === undefined) return false;
  if (last.actions?.skipSummarization === true || (last.longRunningToolIds ?? []).length > 0) return true;
  const waiting = new Set(events.flatMap((event) => event.longRunningToolIds ?? []));
  return (last.content?.parts ?? []).every(
    ({ functionCall, functionResponse, codeExecutionResult }) =>
      functionCall === undefined &&
      codeExecutionResult === undefined &&
      (functionResponse === undefined || waiting.has(functionResponse.id ?? '')),
  );
}

/** When a run was last heard of. Without times in events, only the session's latest events have one. */
function lastSignOf(wire: WireSession, places: readonly number[]): number {
  const last = places.at(-1) ?? -1;
  const own = msOf(wire.events[last]?.timestamp);
  if (own !== undefined) return own;
  return last === wire.events.length - 1 ? (msOf(wire.lastUpdateTime) ?? 0) : 0;
}
