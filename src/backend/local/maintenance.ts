import { timeOfId } from '../../model/ids.ts';
import { slices } from '../../store/slices.ts';
import type { Entry, Write } from '../../store/types.ts';
import { noteDamage } from './damage.ts';
import { indexOldEvents, noteEmptyStore } from './index-old-events.ts';
import * as keys from './keys.ts';
import { deleteWrites, isExpired, type Local, tryHead } from './session-record.ts';
import { returnTurns } from './unfinished-turn.ts';

/**
 * Drops all keys under a prefix, a slice at a time: others write in between. All values go before the first key does,
 * since a database may move what it holds to close the gap of a dropped key, and leave a copy where it was.
 */
export async function dropSlices(
  local: Local,
  prefix: string,
  stopped: () => boolean = () => false,
): Promise<void> {
  const pace = slices();
  const update = async (writes: readonly Write[]) => {
    const start = performance.now();
    await local.store.update([], () => ({ result: undefined, writes }));
    pace.took(performance.now() - start);
  };
  for (let after: string | undefined; !stopped(); ) {
    const rows = await local.store.range({ prefix, after, limit: pace.size() });
    if (rows.length === 0) break;
    after = rows.at(-1)?.key;
    const full = rows.filter((row) => row.value !== '');
    if (full.length > 0) await update(full.map(({ key }) => ({ key, value: '' })));
  }
  while (!stopped()) {
    const rows = await local.store.range({ prefix, limit: pace.size() });
    if (rows.length === 0) return;
    await update(rows.map((row) => ({ drop: row.key })));
  }
}

/**
 * One round: deletes sessions that have expired, returns turns that nobody finished, deletes what deleted sessions and
 * given-up copies left behind, then indexes what an earlier version stored. A row that cannot be read is noted for
 * `damagedRecords` and passed over.
 */
export async function maintain(local: Local, stopped: () => boolean = () => false): Promise<void> {
  const { store } = local;
  for (let after: string | undefined; !stopped(); ) {
    const before = keys.expiriesUntil(local.now());
    const rows = await store.range({ prefix: keys.expiries, after, before, limit: 100 });
    if (rows.length === 0) break;
    for (const row of rows) await expire(local, row.key);
    after = rows.at(-1)?.key;
  }
  await returnTurns(local, stopped);
  for (let after: string | undefined; !stopped(); ) {
    const before = keys.trashUntil(local.now());
    const [row] = await store.range({ prefix: keys.trash, after, before, limit: 1 });
    if (row === undefined) break;
    after = row.key;
    await dropTrash(local, row, stopped);
  }
  while (!stopped() && (await store.sweep()));
  await indexOldEvents(local, stopped);
}

/** Deletes the session that an entry of the calendar speaks of, unless it has been given another time. */
async function expire(local: Local, entry: string): Promise<void> {
  const [, at, app, userId, sessionId] = keys.partsOf(entry);
  if (at === undefined || app === undefined || userId === undefined || sessionId === undefined) return;
  const now = local.now();
  const headKey = keys.headKey({ app, userId, sessionId });
  const unread = await local.store.update([headKey], ([value]) => {
    const head = value === undefined ? undefined : tryHead(value);
    if (value !== undefined && head === undefined) return { result: value, writes: [] };
    const due = head !== undefined && head.expires === keys.unfixed(at);
    if (due && !isExpired(head, now)) return { result: undefined, writes: [] };
    return { result: undefined, writes: [...(due ? deleteWrites(head) : []), { drop: entry }] };
  });
  if (unread !== undefined) await noteDamage(local.store, headKey, unread);
}

/**
 * Drops what an entry of the trash names. The entry moves out of its writer's reach first: a copy that is still
 * being made cannot become a session any more once its contents begin to go.
 */
export async function dropTrash(local: Local, row: Entry, stopped: () => boolean): Promise<void> {
  const [, at = '', uid = ''] = keys.partsOf(row.key);
  const claimed = keys.trashKey(0, uid);
  if (keys.unfixed(at) - firstCopyMs === timeOfId(uid) && (await isSession(local, uid, stopped))) {
    if (!stopped()) await local.store.update([], () => ({ result: undefined, writes: [{ drop: row.key }] }));
    return;
  }
  const prefix = await local.store.update([row.key], ([value]) => ({
    result: value,
    writes: value === undefined || row.key === claimed ? [] : [{ drop: row.key }, { key: claimed, value }],
  }));
  // An entry that names nothing would name everything.
  if (prefix === undefined || !prefix.startsWith(keys.insides)) return;
  await dropSlices(local, prefix, stopped);
  if (!stopped()) await local.store.update([], () => ({ result: undefined, writes: [{ drop: claimed }] }));
}

/** How long after its beginning the first release took the remains of a fork for those of a dead process. */
const firstCopyMs = 60 * 60 * 1000;

/**
 * Whether a session has this uid. The first release made a fork a session one commit before it ended the journal:
 * killed in between it left an entry that speaks of a living session.
 */
async function isSession(local: Local, uid: string, stopped: () => boolean): Promise<boolean> {
  for (let after: string | undefined; ; ) {
    const rows = await local.store.range({ prefix: keys.allHeads, after, limit: 500 });
    if (stopped() || rows.some((row) => tryHead(row.value)?.uid === uid)) return true;
    after = rows.at(-1)?.key;
    if (after === undefined) return false;
  }
}

export interface Maintenance {
  /** Resolves when it is known whether the store holds anything: nothing may be made in it before. */
  looked: Promise<void>;
  poke: () => void;
  /** Waits for the round under way. */
  stop: () => Promise<void>;
}

/** Rounds of `maintain`, now, every minute, and when it is poked. */
export function startMaintenance(local: Local, onError: (error: unknown) => void): Maintenance {
  const looked = noteEmptyStore(local).catch(onError);
  let stopped = false;
  let again = false;
  let running: Promise<void> | undefined;
  const poke = () => {
    again = true;
    running ??= (async () => {
      await looked;
      while (again && !stopped) {
        again = false;
        await maintain(local, () => stopped).catch(onError);
      }
      running = undefined;
    })();
  };
  const timer = setInterval(poke, 60_000);
  timer.unref();
  poke();
  return {
    looked,
    poke,
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
