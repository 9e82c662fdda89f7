import type { JsonObject } from '../../model/json.ts';
import type { SessionRef } from '../types.ts';
import { seqOf } from './events.ts';
import { stateAfter } from './session-log.ts';
import { type Local, readHead } from './session-record.ts';

/** A session's own state right after an event was accepted, one that was deleted since included. */
export async function stateAt(local: Local, ref: SessionRef, eventId: string): Promise<JsonObject> {
  const { uid } = await readHead(local, ref);
  const { seq } = await seqOf(local, uid, eventId);
  return stateAfter(local, uid, seq);
}
