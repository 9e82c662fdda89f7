import { createHash } from 'node:crypto';
import { SessionError } from '../../errors.ts';
import { checkId, newId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import { splitState } from '../../model/state.ts';
import { parseTime } from '../../model/time.ts';
import type { Write } from '../../store/types.ts';
import { sessionExists } from '../shared/errors.ts';
import type { ArrivingSession, Owner, StagedSession } from '../types.ts';
import { noCalls } from './call-record.ts';
import { placeEvent, rewound, traceWrites } from './event-record.ts';
import { buildingSwept, insertSession, newHead } from './insert-session.ts';
import * as keys from './keys.ts';
import { checkSize, maxArtifactBytes } from './limits.ts';
import { dropSlices } from './maintenance.ts';
import { type Head, type Local, readHead } from './session-record.ts';
import { asChanged } from './sessions.ts';

/** How long a stage without progress is kept before its process counts as dead. */
const silentMs = 60 * 60 * 1000;

/** Characters that are written at once: enough to be fast, little enough that other writers do not wait. */
const batchLength = 1024 * 1024;

/**
 * Takes in a session from elsewhere. Its parts lie where a session has them, under a journal entry that hands
 * them to maintenance should the process die; `commit` makes the session and ends the journal in one update.
 */
export async function stageSession(
  local: Local,
  owner: Owner,
  session: ArrivingSession,
): Promise<StagedSession> {
  const begun = local.now();
  const sessionId = session.sessionId === undefined ? newId('s') : checkId('sessionId', session.sessionId);
  let head = newHead({ ...owner, sessionId }, session, begun);
  if (session.createTime !== undefined)
    head = { ...head, created: Math.min(begun, parseTime('createTime', session.createTime)) };
  await refuseTaken(local, head);
  const inside = keys.insideOf(head.uid);
  const artifacts = keys.sessionArtifacts(head.uid);
  const setByEvents = new Set<string>();
  const known = noCalls();
  let journal = keys.trashKey(begun + silentMs, head.uid);
  let renewAt = begun + silentMs / 2;
  let batch: Write[] = [];
  let length = 0;
  const { store } = local;
  await store.update([], () => ({ result: undefined, writes: [{ key: journal, value: inside }] }));

  async function flush(): Promise<void> {
    const now = local.now();
    const writes = batch;
    const renewed = now >= renewAt ? keys.trashKey(now + silentMs, head.uid) : journal;
    batch = [];
    length = 0;
    if (renewed !== journal) writes.push({ key: renewed, value: inside }, { drop: journal });
    await store.update([journal], ([entry]) => {
      if (entry === undefined) throw buildingSwept();
      return { result: undefined, writes };
    });
    if (renewed !== journal) renewAt = now + silentMs / 2;
    journal = renewed;
  }

  async function add(writes: readonly Write[]): Promise<void> {
    batch.push(...writes);
    for (const one of writes) if ('value' in one) length += one.value.length;
    if (length >= batchLength) await flush();
  }

  /** The writes that answer the calls whose answers were deleted where the session comes from, under a number of their own. */
  function answersElsewhere(): Write[] {
    if (session.openToolCalls === undefined) return [];
    const open = new Set(session.openToolCalls);
    const answers = [...known.open.keys()].filter((id) => !open.has(id)).map((id) => ({ id, byUser: true }));
    if (answers.length === 0) return [];
    const seq = head.next;
    head = { ...head, next: seq + 1 };
    return traceWrites(head.uid, seq, { answers }, known);
  }

  return {
    async addEvent(event) {
      checkId('eventId', event.id);
      checkId('author', event.author);
      checkId('invocationId', event.invocationId);
      // Where it comes from, a rewinding undid what it had done: it counts for no later event.
      const undone = event.hideReason === rewound ? head.next : undefined;
      if (undone === undefined)
        for (const key of Object.keys(splitState(event.actions?.stateDelta ?? {}).session))
          setByEvents.add(key);
      const added = placeEvent(head, { event, undone }, head.next, known);
      head = added.head;
      await add(added.writes);
    },
    async addArtifact({ artifact, data }) {
      checkId('name', artifact.name);
      checkSize('The artifact', data.length, maxArtifactBytes, 'Store it elsewhere and save its address.');
      const stored = { ...artifact, sizeBytes: data.length, sha256: sha256Of(data) };
      await add([
        { key: keys.latestKey(artifacts, artifact.name), value: JSON.stringify(stored) },
        {
          key: keys.contentKey(artifacts, artifact.name, artifact.version),
          value: JSON.stringify({ artifact: stored, data: data.toString('base64') }),
        },
      ]);
    },
    async commit(state) {
      await add(answersElsewhere());
      await flush();
      const whole: Head = { ...head, revision: 1 };
      await insertSession(local, whole, state, { journal, ...basesOf(whole, state, setByEvents) });
      await local.meaning?.appeared(whole.updated);
      return asChanged(local, whole, state);
    },
    async discard() {
      batch = [];
      // Without the entry it is swept already, or a session: then a failure after `commit` takes nothing away.
      const claimed = keys.trashKey(0, head.uid);
      const ours = await store.update([journal], ([entry]) => ({
        result: entry !== undefined,
        writes: entry === undefined ? [] : [{ drop: journal }, { key: claimed, value: inside }],
      }));
      if (!ours) return;
      await dropSlices(local, inside);
      await store.update([], () => ({ result: undefined, writes: [{ drop: claimed }] }));
    },
  };
}

/**
 * From where a later fork up to an event grows the state again: keys that no event sets were there from the
 * start, and after the last event the state is what it came with.
 */
function basesOf(head: Head, state: JsonObject, setByEvents: ReadonlySet<string>) {
  const own = splitState(state).session;
  const base = Object.fromEntries(Object.entries(own).filter(([key]) => !setByEvents.has(key)));
  return head.next === 0 ? { base: own } : { base, latest: { seq: head.next, state: own } };
}

const sha256Of = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** A first check before much is copied; `commit` checks again. */
async function refuseTaken(local: Local, head: Head): Promise<void> {
  const there = await readHead(local, { ...head, sessionId: head.id }).catch((error: unknown) => {
    if (error instanceof SessionError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  });
  if (there !== undefined) throw sessionExists();
}
