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

/** Milliseconds of silence after which an event that could be a run's last counts as its last. */
const settleMs = 10_000;

/** Finds the latest run that this server began under an id, by the mark in its message (see run-mark.ts). */
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

/** The indices of a run's events, its message first. A server may use its invocation id again in a later run. */
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
 * The status of a run that this process does not follow. The ADK server may still run it, also for another process
 * of this server, so it counts as interrupted only after it was silent for longer than a run may be.
 */
function statusOf(events: readonly Event[], silentMs: number, idleMs: number): RunStatus {
  const isSettled = events.at(-1)?.turnComplete === true || silentMs >= Math.min(settleMs, idleMs);
  if (endsWell(events) && isSettled) return 'completed';
  return silentMs < idleMs ? 'running' : 'interrupted';
}

/**
 * Whether the last event can be a run's last. Servers do not store that a run has ended, so the rule of ADK's
 * `is_final_response` decides: https://google.github.io/adk-docs/events/
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

/** The time of a run's last event. Where events have no time, only the session's last event has a known one. */
function lastSignOf(wire: WireSession, places: readonly number[]): number {
  const last = places.at(-1) ?? -1;
  const own = msOf(wire.events[last]?.timestamp);
  if (own !== undefined) return own;
  return last === wire.events.length - 1 ? (msOf(wire.lastUpdateTime) ?? 0) : 0;
}
