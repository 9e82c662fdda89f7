import { slices } from '../../store/slices.ts';
import * as keys from './keys.ts';
import type { Local } from './session-record.ts';
import { deleteExpired } from './sessions.ts';

/** Drops all keys under a prefix, a slice at a time: others write in between. */
export async function dropSlices(
  local: Local,
  prefix: string,
  stopped: () => boolean = () => false,
): Promise<void> {
  const pace = slices();
  while (!stopped()) {
    const rows = await local.store.range({ prefix, limit: pace.size() });
    if (rows.length === 0) return;
    const start = performance.now();
    await local.store.update([], () => ({
      result: undefined,
      writes: rows.map((row) => ({ drop: row.key })),
    }));
    pace.took(performance.now() - start);
  }
}

/** One round: deletes sessions that have expired, then what deleted sessions left behind. */
export async function maintain(local: Local, stopped: () => boolean = () => false): Promise<void> {
  while (!stopped()) {
    const rows = await local.store.range({
      prefix: keys.expiries,
      before: keys.expiriesUntil(local.now()),
      limit: 100,
    });
    if (rows.length === 0) break;
    for (const row of rows) {
      const [, , app, userId, sessionId] = keys.partsOf(row.key);
      if (app !== undefined && userId !== undefined && sessionId !== undefined)
        await deleteExpired(local, { app, userId, sessionId });
      // Gone already with its session, unless that had been given another time and this entry is stale.
      await local.store.update([], () => ({ result: undefined, writes: [{ drop: row.key }] }));
    }
  }
  while (!stopped()) {
    const [row] = await local.store.range({
      prefix: keys.trash,
      before: keys.trashUntil(local.now()),
      limit: 1,
    });
    if (row === undefined) break;
    await dropSlices(local, row.value, stopped);
    if (!stopped()) await local.store.update([], () => ({ result: undefined, writes: [{ drop: row.key }] }));
  }
  while (!stopped() && (await local.store.sweep()));
}

/** Rounds of `maintain`, now, every minute, and when it is poked. The returned stop waits for the one under way. */
export function startMaintenance(
  local: Local,
  onError: (error: unknown) => void,
): { poke: () => void; stop: () => Promise<void> } {
  let stopped = false;
  let again = false;
  let running: Promise<void> | undefined;
  const poke = () => {
    again = true;
    running ??= (async () => {
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
    poke,
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
