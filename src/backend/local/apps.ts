import { SessionError } from '../../errors.ts';
import { checkId } from '../../model/ids.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { toTime } from '../../model/time.ts';
import { appNotFound } from '../shared/errors.ts';
import type { App } from '../types.ts';
import { parseStored } from './damage.ts';
import * as keys from './keys.ts';
import { dropSlices } from './maintenance.ts';
import { deleteDamaged, deleteWrites, isExpired, type Local, tryHead } from './session-record.ts';

interface AppRecord {
  created: number;
  displayName?: string | undefined;
  description?: string | undefined;
}

const toApp = (name: string, record: AppRecord): App => ({
  name,
  displayName: record.displayName,
  description: record.description,
  createTime: toTime(record.created),
});

/** Apps by name: all of them, or those in which a user has had sessions. */
export async function listApps(
  local: Local,
  query: PageQuery & { userId?: string | undefined },
): Promise<Page<App>> {
  const prefix = query.userId === undefined ? keys.allApps : keys.userApps(query.userId);
  const after = query.cursor === undefined ? undefined : prefix + query.cursor;
  const rows = await local.store.range({ prefix, after, limit: query.pageSize + 1 });
  const page = rows.slice(0, query.pageSize);
  const names = page.map((row) => keys.partsOf(row.key).at(-1) ?? '');
  const records = await local.store.get(names.map(keys.appKey));
  const items = names.flatMap((name, i) =>
    records[i] === undefined ? [] : [toApp(name, parseStored<AppRecord>('The app', records[i]))],
  );
  return { items, cursor: rows.length > page.length ? page.at(-1)?.key.slice(prefix.length) : undefined };
}

export async function getApp(local: Local, name: string): Promise<App> {
  const [value] = await local.store.get([keys.appKey(checkId('app', name))]);
  if (value === undefined) throw appNotFound();
  return toApp(name, parseStored<AppRecord>('The app', value));
}

export async function createApp(
  local: Local,
  app: { name: string; displayName?: string | undefined; description?: string | undefined },
): Promise<App> {
  const key = keys.appKey(checkId('app', app.name));
  const record: AppRecord = {
    created: local.now(),
    displayName: app.displayName,
    description: app.description,
  };
  return local.store.update([key], ([taken]) => {
    if (taken !== undefined)
      throw new SessionError('ALREADY_EXISTS', 'An app with this name already exists.', {
        hint: 'Use it as it is, or choose another name.',
      });
    return { result: toApp(app.name, record), writes: [{ key, value: JSON.stringify(record) }] };
  });
}

/**
 * Deletes an app; with `force` also all that its users have in it, session by session and slice by slice. A
 * call that was cut short has deleted a part, each session whole; the app is there until the end, so that the
 * call can be repeated.
 */
export async function deleteApp(local: Local, name: string, options: { force: boolean }): Promise<void> {
  const { store } = local;
  await getApp(local, name);
  for (let after: string | undefined; ; ) {
    const rows = await store.range({ prefix: keys.appHeads(name), after, limit: 100 });
    if (rows.length === 0) break;
    // An expired session is gone for everybody, swept or not.
    const isLive = (value: string) => {
      const head = tryHead(value);
      return head === undefined || !isExpired(head, local.now());
    };
    if (!options.force && rows.some((row) => isLive(row.value)))
      throw new SessionError('FAILED_PRECONDITION', 'The app has sessions.', {
        hint: 'Delete them first, or call delete_app with force: true to delete all of them.',
      });
    for (const row of rows) {
      await store.update([row.key], ([value]) => {
        const stays = value === undefined || (!options.force && isLive(value));
        if (stays) return { result: undefined, writes: [] };
        const head = tryHead(value);
        // Where a damaged head kept its contents may not be known any more; its app goes all the same.
        const gone =
          head === undefined ? (deleteDamaged(row.key, value) ?? [{ drop: row.key }]) : deleteWrites(head);
        return { result: undefined, writes: gone };
      });
    }
    after = rows.at(-1)?.key;
  }
  for (const prefix of keys.appShared(name)) await dropSlices(local, prefix);
  await dropUserApps(local, name);
  const record = await store.update([keys.appKey(name)], ([value]) => ({
    result: value,
    writes: [{ drop: keys.appKey(name) }, { drop: keys.appStateKey(name) }],
  }));
  if (record !== undefined) await keepApp(local, name, record);
}

/** Sessions that were created while their app was deleted found it there: they go on with it, and their users see it. */
async function keepApp(local: Local, name: string, record: string): Promise<void> {
  for (let after: string | undefined; ; ) {
    const rows = await local.store.range({ prefix: keys.appHeads(name), after, limit: 100 });
    if (rows.length === 0) return;
    const users = new Set(rows.map((row) => keys.partsOf(row.key)[2] ?? ''));
    await local.store.update([keys.appKey(name)], ([value]) => ({
      result: undefined,
      writes: [
        ...(value === undefined ? [{ key: keys.appKey(name), value: record }] : []),
        ...Array.from(users, (userId) => ({ key: keys.userAppKey(userId, name), value: '' })),
      ],
    }));
    after = rows.at(-1)?.key;
  }
}

/** Takes an app out of the lists of its users, whose keys begin with the user. */
async function dropUserApps(local: Local, name: string): Promise<void> {
  for (let after: string | undefined; ; ) {
    const rows = await local.store.range({ prefix: keys.allUserApps, after, limit: 1000 });
    const found = rows.filter((row) => keys.partsOf(row.key).at(-1) === name);
    if (found.length > 0)
      await local.store.update([], () => ({
        result: undefined,
        writes: found.map((row) => ({ drop: row.key })),
      }));
    after = rows.at(-1)?.key;
    if (rows.length < 1000) return;
  }
}
