import type { DatabaseSync } from 'node:sqlite';
import { addUnmerged } from './schema.ts';

/** Prepared once: parsing takes longer than running them. */
export function statements(db: DatabaseSync) {
  const alive = '(expires is null or expires > ?)';
  const between = `select key, value from kv where key >= ? and key < ? and ${alive} order by key`;
  const forward = db.prepare(`${between} limit ?`);
  const backward = db.prepare(`${between} desc limit ?`);
  forward.setReturnArrays(true);
  backward.setReturnArrays(true);
  const drop = db.prepare("delete from kv where key = ? returning value <> ''");
  drop.setReturnArrays(true);
  return {
    begin: db.prepare('begin'),
    beginWrite: db.prepare('begin immediate'),
    commit: db.prepare('commit'),
    rollback: db.prepare('rollback'),
    dataVersion: db.prepare('pragma data_version'),
    select: db.prepare(`select value from kv where key = ? and ${alive}`),
    forward,
    backward,
    upsert: db.prepare(
      `insert into kv (key, value, expires, scope, terms, term_list) values (?, ?, ?, ?, ?, ?)
       on conflict (key) do update set value = excluded.value, expires = excluded.expires,
       scope = excluded.scope, terms = excluded.terms, term_list = excluded.term_list`,
    ),
    anyUnmerged: db.prepare('select 1 from unmerged limit 1'),
    mergeTerms: db.prepare(addUnmerged),
    forgetUnmerged: db.prepare('delete from unmerged'),
    drop,
    dropBetween: db.prepare('delete from kv where key >= ? and key < ?'),
    dropExpired: db.prepare(
      'delete from kv where id in (select id from kv where expires <= ? order by expires limit ?)',
    ),
  };
}
