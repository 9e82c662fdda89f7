import type { JsonObject } from '../../model/json.ts';
import { applyDelta } from '../../model/state.ts';
import type { Entry } from '../../store/types.ts';
import { answersOf, callsOf } from '../shared/call-rules.ts';
import { parseInside, parseStored } from './damage.ts';
import { type EventRecord, type EventTrace, ownDelta } from './event-record.ts';
import { refuseDamaged, tryRecord } from './events.ts';
import * as keys from './keys.ts';
import type { Local } from './session-record.ts';

/** Entries that are read at a time. */
const readSlice = 50;

/** An event, or the trace of one. */
export type LogEntry = { seq: number; undone: number | undefined } & (
  | { event: EventRecord['event']; trace?: undefined }
  | { event?: undefined; trace: EventTrace }
);

/** The events of a session and the traces of those that are not there, in order, from `first` to before `end`. */
export async function* logOf(
  local: Local,
  uid: string,
  end: number,
  first = 0,
): AsyncGenerator<LogEntry, void> {
  const traces = rowsOf(local, keys.traces(uid), first, end);
  let next = (await traces.next()).value;
  for await (const row of rowsOf(local, keys.events(uid), first, end)) {
    for (; next !== undefined && next.seq < row.seq; next = (await traces.next()).value)
      yield traceEntry(next);
    const { event, undone } = tryRecord(row.value) ?? (await refuseDamaged(local, uid, row));
    yield { seq: row.seq, event, undone };
  }
  for (; next !== undefined; next = (await traces.next()).value) yield traceEntry(next);
}

function traceEntry({ seq, value }: Entry & { seq: number }): LogEntry {
  const trace = parseStored<EventTrace>('The trace of an event', value);
  return { seq, trace, undone: trace.undone };
}

/**
 * What an event did, as it stood right after the event `at` was accepted: nothing, where a rewinding before that had
 * undone it.
 */
export function effectsOf({ event, trace, undone }: LogEntry, at: number) {
  if (undone !== undefined && undone <= at) return { state: {}, calls: [], answers: [] };
  if (event === undefined) return { state: trace.state ?? {}, calls: [], answers: trace.answers ?? [] };
  return { state: ownDelta(event), calls: callsOf(event), answers: answersOf(event) };
}

/** Numbered rows, in order. One that is blank belongs to a session that is being deleted, and is gone already. */
export async function* rowsOf(
  local: Local,
  prefix: string,
  first: number,
  end: number,
): AsyncGenerator<Entry & { seq: number }, undefined> {
  let after = first === 0 ? undefined : prefix + keys.fixed(first - 1);
  for (;;) {
    const rows = await local.store.range({
      prefix,
      after,
      before: prefix + keys.fixed(end),
      limit: readSlice,
    });
    for (const row of rows)
      if (row.value !== '') yield { ...row, seq: keys.unfixed(row.key.slice(prefix.length)) };
    after = rows.at(-1)?.key;
    if (rows.length < readSlice) return undefined;
  }
}

/** The session's own state right after an event was accepted: the latest that was set whole, and the deltas since. */
export async function stateAfter(local: Local, uid: string, seq: number): Promise<JsonObject> {
  const prefix = keys.baseStates(uid);
  const [base] = await local.store.range({
    prefix,
    before: prefix + keys.fixed(seq + 1),
    limit: 1,
    reverse: true,
  });
  let state = base === undefined ? {} : parseInside<JsonObject>('The state', base.value);
  const first = base === undefined ? 0 : keys.unfixed(base.key.slice(prefix.length));
  for await (const entry of logOf(local, uid, seq + 1, first))
    state = applyDelta(state, effectsOf(entry, seq).state);
  return state;
}

/** Ids of the calls whose last answer is an event before `end`, with the number of that event. */
export async function* answeredBefore(
  local: Local,
  uid: string,
  end: number,
): AsyncGenerator<{ id: string; seq: number }, void> {
  const prefix = keys.answeredCalls(uid);
  for (let after: string | undefined; ; ) {
    const rows = await local.store.range({ prefix, after, limit: 200 });
    for (const { key, value } of rows)
      if (Number(value) < end) yield { id: keys.partsOf(key).at(-1) ?? '', seq: Number(value) };
    after = rows.at(-1)?.key;
    if (after === undefined) return;
  }
}
