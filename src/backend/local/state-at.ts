import type { JsonObject } from '../../model/json.ts';
import { applyDelta, splitState } from '../../model/state.ts';
import type { SessionRef } from '../types.ts';
import type { EventRecord } from './event-record.ts';
import { seqOf } from './events.ts';
import { readBases } from './fork.ts';
import * as keys from './keys.ts';
import { type Local, readHead } from './session-record.ts';

const slice = 200;

/** A session's own state right after an event: what was last set whole before it, and the deltas since. */
export async function stateAt(local: Local, ref: SessionRef, eventId: string): Promise<JsonObject> {
  const { uid } = await readHead(local, ref);
  const { seq } = await seqOf(local, uid, eventId);
  const base = (await readBases(local, uid)).findLast((one) => one.seq <= seq);
  const prefix = keys.events(uid);
  let state = base?.state ?? {};
  let after = base === undefined || base.seq === 0 ? undefined : keys.eventKey(uid, base.seq - 1);
  for (;;) {
    const rows = await local.store.range({
      prefix,
      after,
      before: keys.eventKey(uid, seq + 1),
      limit: slice,
    });
    for (const row of rows) {
      const { event } = JSON.parse(row.value) as EventRecord;
      state = applyDelta(state, splitState(event.actions?.stateDelta ?? {}).session);
    }
    after = rows.at(-1)?.key;
    if (rows.length < slice) return state;
  }
}
