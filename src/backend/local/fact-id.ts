import { timedId } from '../../model/ids.ts';
import { canonicalJson } from '../../model/json.ts';
import type { MemoryScope } from '../../model/memory.ts';
import * as keys from './keys.ts';

/**
 * The id of the fact that is made of an event, so that it is made once and found again. Events of one session have
 * different ones even when all are of one millisecond.
 */
export function factId(uid: string, scope: MemoryScope, timestamp: string, seq: number): string {
  const suffix = Number.parseInt(keys.hash(canonicalJson([uid, scope])).slice(0, 8), 16) + seq;
  return timedId('m', Date.parse(timestamp), suffix);
}
