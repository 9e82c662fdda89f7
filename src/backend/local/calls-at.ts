import type { Entry } from '../../store/types.ts';
import { callWrites, noCalls } from './call-record.ts';
import * as keys from './keys.ts';
import { effectsOf, logOf } from './session-log.ts';
import type { Local } from './session-record.ts';

/** The row of a tool call; without a value there is none. */
export interface CallRow {
  key: string;
  value?: string | undefined;
}

/** The rows of tool calls that are others now than right after an event was accepted, as they were then. */
export async function callsAt(local: Local, uid: string, seq: number): Promise<CallRow[]> {
  const known = noCalls();
  const then = new Map<string, string | undefined>();
  for await (const entry of logOf(local, uid, seq + 1)) {
    const { calls, answers } = effectsOf(entry, seq);
    for (const write of callWrites(uid, entry.seq, calls, answers, known))
      if ('value' in write) then.set(write.key, write.value);
      else if ('drop' in write) then.set(write.drop, undefined);
  }
  // An answer whose call was deleted, or stayed behind where this session was forked, is known by its row alone.
  const answers = keys.answeredCalls(uid);
  const stays = ({ key, value }: Entry) => !then.has(key) && key.startsWith(answers) && Number(value) <= seq;
  const rows: CallRow[] = [];
  for (const prefix of [keys.openCalls(uid), answers])
    for await (const row of allRows(local, prefix)) {
      if (!stays(row) && then.get(row.key) !== row.value)
        rows.push({ key: row.key, value: then.get(row.key) });
      then.delete(row.key);
    }
  for (const [key, value] of then) if (value !== undefined) rows.push({ key, value });
  return rows;
}

async function* allRows(local: Local, prefix: string): AsyncGenerator<Entry, void> {
  for (let after: string | undefined; ; ) {
    const rows = await local.store.range({ prefix, after, limit: 500 });
    yield* rows;
    after = rows.at(-1)?.key;
    if (after === undefined) return;
  }
}
