import type { JsonObject } from '../../model/json.ts';
import { applyDelta } from '../../model/state.ts';
import type { Entry } from '../../store/types.ts';
import { parseStored } from './damage.ts';
import { type EventRecord, type EventTrace, ownDelta } from './event-record.ts';
import { refuseDamaged, tryRecord } from './events.ts';
import * as keys from './keys.ts';
import type { Local } from './session-record.ts';
import { parseState } from './state-record.ts';

/** Entries that are read at a time. */
const readSlice = 50;

interface LogEntry {
  seq: number;
  event?: EventRecord['event'];
  trace?: EventTrace;
}

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
      yield { seq: next.seq, trace: parseStored('The trace of an event', next.value) };
    yield { seq: row.seq, event: (tryRecord(row.value) ?? (await refuseDamaged(local, uid, row))).event };
  }
  for (; next !== undefined; next = (await traces.next()).value)
    yield { seq: next.seq, trace: parseStored('The trace of an event', next.value) };
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
  let state = parseState(base?.value);
  const first = base === undefined ? 0 : keys.unfixed(base.key.slice(prefix.length));
  for await (const { event, trace } of logOf(local, uid, seq + 1, first))
    state = applyDelta(state, event === undefined ? (trace?.state ?? {}) : ownDelta(event));
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
