import { canonicalJson } from '../../model/json.ts';
import type { Memory, MemoryScope } from '../../model/memory.ts';
import type { Owner } from '../types.ts';
import { placeKeys, placeOf, tryRecord } from './events.ts';
import { factId } from './fact-id.ts';
import * as keys from './keys.ts';
import { lendScores, ofSession, type Scored } from './lend-scores.ts';
import { tryMemory } from './memory-record.ts';
import { type Head, isExpired, type Local, tryHead } from './session-record.ts';

type ScoredMemory = Memory & { score: number };

/**
 * Memories with what they get of the scores of others, best first: one that knows the event it was made of is
 * understood by what was said around it, as the event is. Facts of neighbouring events are among them, even where the
 * search itself did not find them.
 */
export async function lendToMemories(
  local: Local,
  owner: Owner,
  scope: MemoryScope,
  found: readonly ScoredMemory[],
  limit: number,
): Promise<ScoredMemory[]> {
  const placed = await placesOf(local, owner, found);
  if (placed.size === 0) return found.slice(0, limit);
  const known = new Map<string, Memory>(Array.from(placed, ([memory, place]) => [nameOf(place), memory]));
  const lent = lendScores([...placed.values()]).slice(0, found.length + 4 * limit);
  const heads = new Map(Array.from(placed.values(), ({ head }) => [head.uid, head]));
  const missing = lent.slice(0, 4 * limit).filter((one) => !known.has(nameOf(one)));
  for (const [name, memory] of await factsAt(local, owner, scope, heads, missing)) known.set(name, memory);
  const ofEvents = lent.flatMap((one) => {
    const memory = known.get(nameOf(one));
    return memory === undefined ? [] : [{ ...memory, score: one.score }];
  });
  // One that stands alone is its own session, and no worse for it.
  const alone = found
    .filter((memory) => !placed.has(memory))
    .map((memory) => ({ ...memory, score: (1 + ofSession) * memory.score }));
  return [...ofEvents, ...alone].sort((a, b) => b.score - a.score).slice(0, limit);
}

const nameOf = ({ uid, seq }: Pick<Scored, 'uid' | 'seq'>): string => `${seq} ${uid}`;

/** Where the events of memories are, as far as their sessions are there. */
async function placesOf(
  local: Local,
  owner: Owner,
  memories: readonly ScoredMemory[],
): Promise<Map<ScoredMemory, Scored & { head: Head }>> {
  const ids = [...new Set(memories.flatMap(({ source }) => source?.sessionId ?? []))];
  const values = await local.store.get(ids.map((sessionId) => keys.headKey({ ...owner, sessionId })));
  const now = local.now();
  const heads = new Map(
    ids.flatMap((id, i): [string, Head][] => {
      const head = values[i] === undefined ? undefined : tryHead(values[i]);
      return head === undefined || isExpired(head, now) ? [] : [[id, head]];
    }),
  );
  const asked = memories.flatMap((memory) => {
    const head = heads.get(memory.source?.sessionId ?? '');
    const eventId = memory.source?.eventId;
    if (head === undefined || eventId === undefined) return [];
    return [{ memory, head, eventId, placeKeys: placeKeys(head.uid, eventId) }];
  });
  const found = await local.store.get(asked.flatMap((one) => one.placeKeys));
  let at = 0;
  return new Map(
    asked.flatMap(({ memory, head, eventId, placeKeys: { length } }) => {
      const place = placeOf(head.uid, eventId, found.slice(at, at + length));
      at += length;
      return place === undefined
        ? []
        : [[memory, { uid: head.uid, seq: place.seq, score: memory.score, head }] as const];
    }),
  );
}

/** The facts in a scope that were made of events, by the places of these. */
async function factsAt(
  local: Local,
  owner: Owner,
  scope: MemoryScope,
  heads: ReadonlyMap<string, Head>,
  places: readonly Scored[],
): Promise<Map<string, Memory>> {
  const values = await local.store.get(places.map(({ uid, seq }) => keys.eventKey(uid, seq)));
  const events = places.flatMap((place, i) => {
    const event = values[i] === undefined ? undefined : tryRecord(values[i])?.event;
    return event === undefined || event.hidden === true ? [] : [{ place, event }];
  });
  const stored = await local.store.get(
    events.map(({ place, event }) =>
      keys.memoryKey(owner, factId(place.uid, scope, event.timestamp, place.seq)),
    ),
  );
  return new Map(
    events.flatMap(({ place, event }, i): [string, Memory][] => {
      const memory = stored[i] === undefined ? undefined : tryMemory(stored[i]);
      const same =
        memory?.source?.eventId === event.id &&
        memory.source.sessionId === heads.get(place.uid)?.id &&
        canonicalJson(memory.scope) === canonicalJson(scope);
      return memory !== undefined && same ? [[nameOf(place), memory]] : [];
    }),
  );
}
