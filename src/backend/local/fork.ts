import { SessionError } from '../../errors.ts';
import { checkId, newId } from '../../model/ids.ts';
import type { Session } from '../../model/session.ts';
import type { Write } from '../../store/types.ts';
import { sessionExists, sessionNotFound } from '../shared/errors.ts';
import type { ForkOptions, SessionRef } from '../types.ts';
import { noCalls } from './call-record.ts';
import { parseInside } from './damage.ts';
import { eventIdAt } from './event-id.ts';
import { placeEvent, traceOf, traceWrites } from './event-record.ts';
import { findEvent } from './events.ts';
import { buildingSwept, insertKeys, insertWrites, newHead } from './insert-session.ts';
import * as keys from './keys.ts';
import { answeredBefore, logOf, rowsOf, stateAfter } from './session-log.ts';
import {
  type Head,
  isExpired,
  type Local,
  parseHead,
  readHead,
  refOf,
  storedHead,
} from './session-record.ts';
import { asChanged } from './sessions.ts';

/** What one update copies, in entries and in characters. Artifacts are large, so they go one by one. */
const slice = 200;
const sliceBytes = 4 * 1024 * 1024;

/** How long a copy may take before its process counts as dead and its remains are deleted. */
const copyMs = 60 * 60 * 1000;

/** How often a copy starts again because the session was changed meanwhile; appends do not count. */
const attempts = 10;

/**
 * Copies a session up to an event: its visible events under new ids, labels, artifacts, and the state and the
 * open tool calls as they stood right after that event was accepted; without an event, as they are now. The
 * copy is built aside, slice by slice, under a journal entry that has it swept as trash should this process
 * die, and becomes a session in the update that ends the journal entry.
 */
export async function forkSession(local: Local, ref: SessionRef, options: ForkOptions): Promise<Session> {
  for (let attempt = 1; ; attempt += 1) {
    const session = await forkOnce(local, ref, options);
    if (session !== undefined) return session;
    if (attempt === attempts)
      throw new SessionError('ABORTED', 'The session kept changing while it was copied.', {
        hint: 'Fork it again when nobody hides events, deletes events or updates the session.',
      });
  }
}

interface Copy {
  local: Local;
  source: Head;
  /** Number of the first event that is not copied. */
  end: number;
  /** The number of the event as of which the session is copied; infinite: as it is now. */
  at: number;
  journal: string;
}

/** Undefined when the session was changed meanwhile. */
async function forkOnce(local: Local, ref: SessionRef, options: ForkOptions): Promise<Session | undefined> {
  const now = local.now();
  const { source, state } = await snapshot(local, ref);
  const upTo =
    options.upToEventId === undefined ? undefined : await findEvent(local, source.uid, options.upToEventId);
  const end = upTo === undefined ? source.next : upTo.seq + 1;
  const sessionId =
    options.newSessionId === undefined ? newId('s') : checkId('newSessionId', options.newSessionId);
  const fresh = newHead(
    { ...ref, sessionId },
    {
      displayName: options.displayName ?? source.displayName,
      labels: source.labels,
      forkedFrom: { backend: 'local', sessionId: source.id, eventId: upTo?.event.id ?? source.last?.id },
    },
    now,
  );
  const [taken] = await local.store.get([keys.headKey(refOf(fresh))]);
  if (taken !== undefined && !isExpired(storedHead(taken), now)) throw sessionExists();
  const at = upTo?.seq ?? Number.POSITIVE_INFINITY;
  const copy: Copy = { local, source, end, at, journal: keys.trashKey(now + copyMs, fresh.uid) };
  await local.store.update([], () => ({
    result: undefined,
    writes: [{ key: copy.journal, value: keys.insideOf(fresh.uid) }],
  }));
  try {
    const copied = await copyEvents(copy, fresh);
    await copyRows(
      copy,
      keys.baseStates(source.uid),
      keys.baseStates(fresh.uid),
      upTo === undefined ? end : end - 1,
    );
    await copyArtifacts(copy, keys.sessionArtifacts(source.uid), keys.sessionArtifacts(fresh.uid));
    const own = upTo === undefined ? state : JSON.stringify(await stateAfter(local, source.uid, upTo.seq));
    const head: Head = {
      ...copied,
      next: end,
      ...(upTo === undefined ? { invocationId: source.invocationId } : {}),
    };
    if (await publish(copy, head, own)) {
      await local.meaning?.appeared(head.updated);
      return asChanged(local, head);
    }
  } catch (error) {
    await discard(copy);
    throw error;
  }
  await discard(copy);
  return undefined;
}

/** A session's head and the text of its own state, of one moment. */
async function snapshot(local: Local, ref: SessionRef): Promise<{ source: Head; state: string }> {
  for (;;) {
    const { uid } = await readHead(local, ref);
    const [value, state] = await local.store.get([keys.headKey(ref), keys.stateKey(uid)]);
    const source = parseHead(value, local.now());
    if (source.uid === uid) return { source, state: state ?? '{}' };
  }
}

/** Writes a part of the copy, unless its journal entry was swept because its process counted as dead. */
async function writeCopy({ local, journal }: Copy, writes: readonly Write[]): Promise<void> {
  if (writes.length === 0) return;
  await local.store.update([journal], ([entry]) => {
    if (entry === undefined) throw buildingSwept();
    return { result: undefined, writes };
  });
}

/**
 * Makes the copy a session and ends its journal entry, in one update. False when the source was changed other
 * than by appends since the copy began: it may hold something of before and something of after.
 * @throws SessionError NOT_FOUND when the source is gone
 */
function publish({ local, source, journal }: Copy, head: Head, state: string): Promise<boolean> {
  return local.store.update(
    [keys.headKey(refOf(source)), journal, ...insertKeys(head)],
    ([sourceValue, entry, taken, app, userApp]) => {
      const now = local.now();
      const there = sourceValue === undefined ? undefined : storedHead(sourceValue);
      if (there === undefined || there.uid !== source.uid || isExpired(there, now)) throw sessionNotFound();
      if (entry === undefined) throw buildingSwept();
      if ((there.edits ?? 0) !== (source.edits ?? 0)) return { result: false, writes: [] };
      return {
        result: true,
        writes: [
          ...insertWrites(head, { taken, app, userApp }, now),
          { key: keys.stateKey(head.uid), value: state },
          { drop: journal },
        ],
      };
    },
  );
}

/** Hands a copy that became nothing to maintenance, at once. It changes nothing if that fails. */
async function discard({ local, journal }: Copy): Promise<void> {
  await local.store
    .update([journal], ([entry]) => ({
      result: undefined,
      writes:
        entry === undefined
          ? []
          : [{ drop: journal }, { key: keys.trashKey(0, keys.partsOf(journal)[2] ?? ''), value: entry }],
    }))
    .catch(() => {});
}

/**
 * Copies the visible events under their numbers, and of all others what they did. The numbers stay the same, so
 * that a copy of the copy finds the state of any event, too.
 */
async function copyEvents(copy: Copy, fresh: Head): Promise<Head> {
  let head = fresh;
  const known = noCalls();
  const batch = batchOf(copy);
  for await (const { seq, event, trace, undone: when } of logOf(copy.local, copy.source.uid, copy.end)) {
    // A rewinding that came later than the copy's last event never was, as far as the copy goes.
    const undone = when !== undefined && when <= copy.at ? when : undefined;
    if (event !== undefined && event.hidden !== true) {
      const placed = placeEvent(
        head,
        { event: { ...event, id: eventIdAt(fresh.uid, seq) }, undone },
        seq,
        known,
      );
      head = placed.head;
      await batch.add(placed.writes);
    } else {
      const left = event === undefined ? { ...trace, undone } : traceOf({ event, undone });
      if (event !== undefined) head = { ...head, invocationId: event.invocationId };
      if (left !== undefined) await batch.add(traceWrites(fresh.uid, seq, left, known));
    }
  }
  // Of a call that stays behind, the copy knows no more than that it has its answer.
  for await (const { id, seq } of answeredBefore(copy.local, copy.source.uid, copy.end))
    if (!known.open.has(id) && !known.answered.has(id))
      await batch.add([{ key: keys.answeredCallKey(fresh.uid, id), value: String(seq) }]);
  await batch.end();
  return head;
}

/** Collects writes of a copy into updates that keep nobody waiting long. */
function batchOf(copy: Copy): { add(more: readonly Write[]): Promise<void>; end(): Promise<void> } {
  let writes: Write[] = [];
  let bytes = 0;
  const end = async () => {
    await writeCopy(copy, writes);
    writes = [];
    bytes = 0;
  };
  return {
    async add(more) {
      writes.push(...more);
      for (const write of more) if ('value' in write) bytes += write.value.length;
      if (writes.length >= slice || bytes >= sliceBytes) await end();
    },
    end,
  };
}

/** Copies numbered rows up to and with `last` as they stand. */
async function copyRows(copy: Copy, from: string, to: string, last: number): Promise<void> {
  const batch = batchOf(copy);
  for await (const row of rowsOf(copy.local, from, 0, last + 1))
    await batch.add([{ key: to + row.key.slice(from.length), value: row.value }]);
  await batch.end();
}

/**
 * Copies the artifacts that there are now, each with all its versions. Another version may be saved meanwhile:
 * the list is read first, and of each artifact no more is copied than it says.
 */
async function copyArtifacts(copy: Copy, from: keys.ArtifactPlace, to: keys.ArtifactPlace): Promise<void> {
  const { store } = copy.local;
  let listed: string | undefined;
  for (;;) {
    const latest = await store.range({ prefix: from.latest, after: listed, limit: slice });
    for (const row of latest) {
      const name = row.key.slice(from.latest.length);
      const { version } = parseInside<{ version: number }>('An artifact', row.value);
      const prefix = `${from.content}${name}/`;
      for (let after: string | undefined; ; ) {
        const [content] = await store.range({
          prefix,
          after,
          before: prefix + keys.fixed(version + 1),
          limit: 1,
        });
        if (content === undefined) break;
        await writeCopy(copy, [
          { key: to.content + content.key.slice(from.content.length), value: content.value },
        ]);
        after = content.key;
      }
      await writeCopy(copy, [{ key: to.latest + name, value: row.value }]);
    }
    listed = latest.at(-1)?.key;
    if (latest.length < slice) return;
  }
}
