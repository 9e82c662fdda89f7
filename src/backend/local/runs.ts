import type { Content } from '../../model/event.ts';
import { newId } from '../../model/ids.ts';
import type { RunRecord } from '../../model/run.ts';
import { leaseHolds } from '../../store/clocks.ts';
import type { BegunRun, RunEnding, RunLedger, SessionRef } from '../types.ts';
import { parseInside, parseStored } from './damage.ts';
import { draft, type EventRecord, toEvent } from './event-record.ts';
import * as keys from './keys.ts';
import {
  busy,
  checkDigest,
  closedStore,
  endEvent,
  fencedStore,
  interruption,
  isComplete,
  isHeld,
  type OwnRun,
  parseRow,
  type RunRow,
  saidContent,
  toRecord,
  withEvent,
} from './run-record.ts';
import {
  type Head,
  headWrites,
  type Local,
  parseHead,
  readHead,
  refOf,
  updateNamed,
} from './session-record.ts';

/** What identifies a process to other processes on its machine. */
export interface ProcessIdentity {
  /** Equal for two processes if, and only if, one can see whether the other is alive. */
  machine: string;
  pid: number;
  /** Whether a process of this machine is alive; true when in doubt. */
  isAlive(pid: number): boolean;
}

export interface LocalRuns extends RunLedger {
  settle(head: Head): Promise<Head>;
  /** The backend as a run that was begun here may use it: what it writes is refused once the run is not ours. */
  fenced(ref: SessionRef, invocationId: string): Local;
  /** Notes that another agent speaks now in a run of ours. */
  goOn(ref: SessionRef, invocationId: string, author: string): Promise<void>;
  /** Ends the runs that are still ours. */
  close(): Promise<void>;
}

export interface RunsConfig {
  local: Local;
  /** The agent that a run begins with. Rejects when the app has none to run, or it cannot take the message. */
  ready(app: string, run: { message?: Content | undefined; agent?: string | undefined }): Promise<string>;
  process?: ProcessIdentity | undefined;
  leaseMs: number;
}

type NewRun = Parameters<RunLedger['begin']>[1];

/**
 * Runs of the local backend. The session's head names the run that goes on, which makes two begins exclude
 * each other; a record per run holds its lease and, later, how it ended. A lease is judged by the clock of
 * whoever looks: where clocks differ by more than the lease, a living run may count as dead. It then ends,
 * since its writes are refused, but no two runs ever write side by side.
 */
export function openRuns(config: RunsConfig): LocalRuns {
  const { local, leaseMs } = config;
  const { store } = local;
  const ours = new Map<string, OwnRun>();
  const nameOf = (ref: SessionRef, invocationId: string) =>
    JSON.stringify([ref.app, ref.userId, ref.sessionId, invocationId]);

  const isDead = (row: RunRow): boolean => {
    if (!leaseHolds(row.expires, local.now())) return true;
    const { process } = config;
    if (process === undefined || row.machine !== process.machine || row.pid === undefined) return false;
    return row.pid !== process.pid && !process.isAlive(row.pid);
  };

  async function begin(ref: SessionRef, run: NewRun): Promise<BegunRun> {
    const { invocationId, digest } = run;
    const author = await config.ready(ref.app, run);
    for (;;) {
      const seen = await readHead(local, ref);
      const now = local.now();
      const row: RunRow = {
        invocationId,
        status: 'running',
        author,
        digest,
        owner: newId('x'),
        machine: config.process?.machine,
        pid: config.process?.pid,
        expires: now + leaseMs,
        first: 0,
      };
      const begun = await updateNamed<'head' | 'run', BegunRun | undefined>(
        store,
        { head: keys.headKey(ref), run: keys.runKey(seen.uid, invocationId) },
        (values) => {
          const head = parseHead(values.head, now);
          if (head.uid !== seen.uid) return { result: undefined, writes: [] };
          const known = parseRow(values.run);
          const goesOn = known?.status === 'running' && head.run === invocationId;
          if (known !== undefined && (goesOn || known.status === 'completed')) {
            checkDigest(known, digest);
            return { result: { begun: false, run: toRecord(known) }, writes: [] };
          }
          if (head.run !== undefined) throw busy(head.run);
          if (known !== undefined) checkDigest(known, digest);
          // A repeated run keeps the events of the earlier attempts.
          const fresh = { ...row, first: known?.first ?? head.next };
          return {
            result: { begun: true, run: toRecord(fresh) },
            writes: [
              ...headWrites(head, { ...head, run: invocationId }),
              { key: keys.runKey(head.uid, invocationId), value: JSON.stringify(fresh) },
            ],
          };
        },
      );
      if (begun === undefined) continue;
      if (begun.begun)
        ours.set(nameOf(ref, invocationId), {
          ref,
          invocationId,
          uid: seen.uid,
          owner: row.owner,
          writes: 0,
        });
      return begun;
    }
  }

  async function readRow(
    ref: SessionRef,
    invocationId: string,
  ): Promise<{ row: RunRow; uid: string } | undefined> {
    const head = await readHead(local, ref);
    const [value] = await store.get([keys.runKey(head.uid, invocationId)]);
    const row = parseRow(value);
    return row === undefined ? undefined : { row, uid: head.uid };
  }

  async function renew(ref: SessionRef, invocationId: string, text: string): Promise<boolean> {
    const mine = ours.get(nameOf(ref, invocationId));
    if (mine === undefined) return false;
    const writes = mine.writes;
    const now = local.now();
    return updateNamed<'head' | 'run', boolean>(
      store,
      { head: keys.headKey(ref), run: keys.runKey(mine.uid, invocationId) },
      (values) => {
        const row = parseRow(values.run);
        const head = values.head === undefined ? undefined : parseStored<Head>('The session', values.head);
        if (row === undefined || head?.uid !== mine.uid || !isHeld(row, mine.owner))
          return { result: false, writes: [] };
        // What was unfinished when the renewal began may be a whole event by now.
        const said = text === '' || mine.writes !== writes ? undefined : text;
        const value = JSON.stringify({ ...row, expires: now + leaseMs, text: said } satisfies RunRow);
        return { result: true, writes: [{ key: keys.runKey(mine.uid, invocationId), value }] };
      },
    );
  }

  /** Ends the run that a head names, if `when` still holds for it then. */
  async function finish(
    ref: SessionRef,
    invocationId: string,
    ending: RunEnding,
    when: (row: RunRow) => boolean,
  ): Promise<{ head: Head; row: RunRow | undefined }> {
    for (;;) {
      const [value] = await store.get([keys.headKey(ref)]);
      const seen = parseHead(value, local.now());
      const now = local.now();
      const made = draft(endEvent(invocationId, ending), now);
      const outcome = await updateNamed<
        'head' | 'run' | 'last',
        { head: Head; row: RunRow | undefined } | undefined
      >(
        store,
        {
          head: keys.headKey(ref),
          run: keys.runKey(seen.uid, invocationId),
          last: seen.next === 0 ? undefined : keys.eventKey(seen.uid, seen.next - 1),
        },
        (values) => {
          const head = parseHead(values.head, now);
          if (head.uid !== seen.uid || head.next !== seen.next) return { result: undefined, writes: [] };
          const row = parseRow(values.run);
          const goesOn = row?.status === 'running';
          if (head.run !== invocationId || (goesOn && !when(row)))
            return { result: { head, row }, writes: [] };
          if (!goesOn) {
            // Even a lost record must not block a session for ever.
            const free: Head = { ...head, run: undefined };
            return { result: { head: free, row }, writes: headWrites(head, free) };
          }
          const ended: RunEnding = isComplete(values.last, row) ? { status: 'completed' } : ending;
          const content = saidContent(ending.text ?? row.text);
          const event =
            ended.status === 'completed'
              ? undefined
              : toEvent({ ...made, author: row.author, content }, head);
          const { head: next, writes } = withEvent(head, event, now);
          const after: Head = { ...next, run: undefined };
          const { error: _error, text: _text, ...rest } = row;
          const done: RunRow = { ...rest, status: ended.status, error: ended.error, end: after.next };
          return {
            result: { head: after, row: done },
            writes: [
              ...writes,
              ...headWrites(head, after),
              { key: keys.runKey(head.uid, invocationId), value: JSON.stringify(done) },
            ],
          };
        },
      );
      if (outcome !== undefined) return outcome;
    }
  }

  async function end(
    ref: SessionRef,
    invocationId: string,
    ending: RunEnding,
  ): Promise<RunRecord | undefined> {
    const name = nameOf(ref, invocationId);
    const mine = ours.get(name);
    // Only the process that runs it can know that it completed; any process may cancel it.
    const mayEnd = (row: RunRow) =>
      ending.status === 'cancelled' || (mine !== undefined && row.owner === mine.owner);
    const { row } = await finish(ref, invocationId, ending, mayEnd);
    ours.delete(name);
    return row === undefined ? undefined : toRecord(row);
  }

  return {
    leaseMs,
    begin,
    renew,
    end,
    async get(ref, invocationId) {
      const found = await readRow(ref, invocationId);
      return found === undefined ? undefined : toRecord(found.row);
    },
    async events(ref, invocationId, limit) {
      const found = await readRow(ref, invocationId);
      if (found === undefined) return [];
      const { row, uid } = found;
      const rows = await store.range({
        prefix: keys.events(uid),
        ...(row.first > 0 ? { after: keys.eventKey(uid, row.first - 1) } : {}),
        ...(row.end === undefined ? {} : { before: keys.eventKey(uid, row.end) }),
        limit,
        reverse: true,
      });
      return rows
        .map((entry) => parseInside<EventRecord>('An event', entry.value).event)
        .filter((event) => event.invocationId === invocationId && event.author !== 'user')
        .filter((event) => event.hidden !== true)
        .reverse();
    },
    async settle(head) {
      if (head.run === undefined) return head;
      const [value] = await store.get([keys.runKey(head.uid, head.run)]);
      const row = parseRow(value);
      if (row?.status === 'running' && !isDead(row)) return head;
      return (await finish(refOf(head), head.run, interruption, isDead)).head;
    },
    fenced(ref, invocationId) {
      const mine = ours.get(nameOf(ref, invocationId));
      const key = mine && keys.runKey(mine.uid, invocationId);
      return { ...local, store: key ? fencedStore(store, key, mine) : closedStore(store) };
    },
    async goOn(ref, invocationId, author) {
      const mine = ours.get(nameOf(ref, invocationId));
      if (mine === undefined) return;
      const key = keys.runKey(mine.uid, invocationId);
      await store.update([key], ([value]) => {
        const row = parseRow(value);
        if (row === undefined || !isHeld(row, mine.owner)) return { result: undefined, writes: [] };
        return { result: undefined, writes: [{ key, value: JSON.stringify({ ...row, author }) }] };
      });
    },
    async close() {
      const open = [...ours.values()];
      await Promise.allSettled(open.map((run) => end(run.ref, run.invocationId, interruption)));
    },
  };
}
