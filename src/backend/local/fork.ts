import { checkId, newId } from '../../model/ids.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Session } from '../../model/session.ts';
import { applyDelta, splitState } from '../../model/state.ts';
import type { Entry, Write } from '../../store/types.ts';
import type { ForkOptions, SessionRef } from '../types.ts';
import { addEvent, type EventRecord } from './event-record.ts';
import { getEvent } from './events.ts';
import * as keys from './keys.ts';
import { type Head, type Local, readHead, toSession } from './session-record.ts';
import { insertSession, newHead, parseState, readState } from './sessions.ts';

/** Entries that one update copies. Values of artifacts are large, so they go one by one. */
const slice = 200;

/** How long a copy may take before its remains are taken for those of a process that died. */
const copyMs = 60 * 60 * 1000;

/**
 * Copies a session up to an event: its visible events under new ids, the state as it was after the last of
 * them, labels and artifacts. The copy is built aside, slice by slice, and becomes a session with its last
 * write; what a killed process leaves is swept as trash.
 */
export async function forkSession(local: Local, ref: SessionRef, options: ForkOptions): Promise<Session> {
  const { store } = local;
  const now = local.now();
  const source = await readHead(local, ref);
  const upTo =
    options.upToEventId === undefined ? undefined : await getEvent(local, ref, options.upToEventId);
  const sessionId =
    options.newSessionId === undefined ? newId('s', now) : checkId('newSessionId', options.newSessionId);
  const fresh = newHead(
    { ...ref, sessionId },
    {
      displayName: options.displayName ?? source.displayName,
      labels: source.labels,
      forkedFrom: { backend: 'local', sessionId: source.id, eventId: upTo?.id ?? source.last?.id },
    },
    now,
  );
  const journal = keys.trashKey(now + copyMs, fresh.uid);
  await store.update([], () => ({
    result: undefined,
    writes: [{ key: journal, value: keys.insideOf(fresh.uid) }],
  }));
  const copied = await copyEvents(local, source, fresh, upTo?.id);
  await copyArtifacts(local, keys.sessionArtifacts(source.uid), keys.sessionArtifacts(fresh.uid));
  const head = { ...copied.head, revision: 1 };
  await insertSession(local, head, copied.state, { base: copied.base, journal });
  return toSession(head, await readState(local, head));
}

interface Copied {
  head: Head;
  /** The session's own keys at the start and at the end of the copy. */
  base: JsonObject;
  state: JsonObject;
}

async function copyEvents(
  local: Local,
  source: Head,
  fresh: Head,
  upTo: string | undefined,
): Promise<Copied> {
  const bases = await readBases(local, source.uid);
  const base = bases[0]?.state ?? {};
  let state = base;
  let head = fresh;
  let after: string | undefined;
  for (;;) {
    const prefix = keys.events(source.uid);
    const rows = await local.store.range({ prefix, after, limit: slice });
    const writes: Write[] = [];
    let done = rows.length < slice;
    for (const row of rows) {
      const { event } = JSON.parse(row.value) as EventRecord;
      const seq = keys.unfixed(row.key.slice(prefix.length));
      // What was appended after the fork began is not part of it.
      if (seq >= source.next) {
        done = true;
        break;
      }
      // The latest state that was set whole before this event, with the deltas since.
      for (const set of bases.splice(0, bases.filter((b) => b.seq <= seq).length)) state = set.state;
      state = applyDelta(state, splitState(event.actions?.stateDelta ?? {}).session);
      if (event.hidden !== true) {
        const added = addEvent(
          head,
          { ...event, id: newId('e', Date.parse(event.timestamp)) },
          fresh.created,
        );
        head = added.head;
        writes.push(...added.writes);
      }
      if (event.id === upTo) {
        done = true;
        break;
      }
    }
    if (writes.length > 0) await local.store.update([], () => ({ result: undefined, writes }));
    if (done) break;
    after = rows.at(-1)?.key;
  }
  if (upTo === undefined) state = bases.at(-1)?.state ?? state;
  return { head, base, state };
}

export async function readBases(local: Local, uid: string): Promise<{ seq: number; state: JsonObject }[]> {
  const prefix = keys.baseStates(uid);
  const rows: Entry[] = [];
  for (;;) {
    const more = await local.store.range({ prefix, after: rows.at(-1)?.key, limit: slice });
    rows.push(...more);
    if (more.length < slice) break;
  }
  return rows.map((row) => ({
    seq: keys.unfixed(row.key.slice(prefix.length)),
    state: parseState(row.value),
  }));
}

async function copyArtifacts(local: Local, from: keys.ArtifactPlace, to: keys.ArtifactPlace): Promise<void> {
  for (const part of ['content', 'latest'] as const) {
    let after: string | undefined;
    for (;;) {
      const rows = await local.store.range({
        prefix: from[part],
        after,
        limit: part === 'content' ? 1 : slice,
      });
      const [last] = rows.slice(-1);
      if (last === undefined) break;
      const writes = rows.map((row) => ({
        key: to[part] + row.key.slice(from[part].length),
        value: row.value,
      }));
      await local.store.update([], () => ({ result: undefined, writes }));
      after = last.key;
    }
  }
}
