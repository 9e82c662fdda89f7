import { SessionError } from '../../errors.ts';
import { checkId } from '../../model/ids.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { toTime } from '../../model/time.ts';
import { appNotFound } from '../shared/errors.ts';
import type { App } from '../types.ts';
import * as keys from './keys.ts';
import { dropSlices } from './maintenance.ts';
import { deleteWrites, type Head, type Local } from './session-record.ts';

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
    records[i] === undefined ? [] : [toApp(name, JSON.parse(records[i]) as AppRecord)],
  );
  return { items, cursor: rows.length > page.length ? page.at(-1)?.key.slice(prefix.length) : undefined };
}

export async function getApp(local: Local, name: string): Promise<App> {
  const [value] = await local.store.get([keys.appKey(checkId('app', name))]);
  if (value === undefined) throw appNotFound();
  return toApp(name, JSON.parse(value) as AppRecord);
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
      throw new SessionError('ALREADY_EXISTS', 'There is an app with this name.', {
        hint: 'Use it as it is, or choose another name.',
      });
    return { result: toApp(app.name, record), writes: [{ key, value: JSON.stringify(record) }] };
  });
}

/** Deletes an app; with `force` also all that its users have in it, slice by slice. */
export async function deleteApp(local: Local, name: string, options: { force: boolean }): Promise<void> {
  await getApp(local, name);
  for (;;) {
    const rows = await local.store.range({ prefix: keys.appHeads(name), limit: 100 });
    if (rows.length === 0) break;
    if (!options.force)
      throw new SessionError('FAILED_PRECONDITION', 'The app has sessions.', {
        hint: 'Delete them first, or call delete_app with force: true to delete all of them.',
      });
    for (const row of rows) {
      const now = local.now();
      await local.store.update([row.key], ([value]) => ({
        result: undefined,
        writes: value === undefined ? [] : deleteWrites(JSON.parse(value) as Head, now),
      }));
    }
  }
  for (const prefix of keys.appShared(name)) await dropSlices(local, prefix);
  await local.store.update([], () => ({
    result: undefined,
    writes: [{ drop: keys.appKey(name) }, { drop: keys.appStateKey(name) }],
  }));
}
