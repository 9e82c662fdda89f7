import type { DatabaseSync } from 'node:sqlite';
import { addChanged, addNew, takeNoted } from './schema.ts';
import { textIndex } from './text-index.ts';

/**
 * The first statement of every transaction that does not begin by reading entries. A statement that writes to the
 * full-text index must not be the first after this process and another have both rewritten the file: SQLite parses it
 * anew, looks into the index while it does so, and fails with "no such table" where the tables have to be read anew, too.
 */
const hold = 'select 1 from kv limit 1';

/** Everything that is asked of the file, prepared once: parsing takes longer than running. */
export function prepareOn(db: DatabaseSync) {
  db.exec(`begin; ${hold}`);
  const sql = { ...statements(db), hold: db.prepare(hold), text: textIndex(db) };
  db.exec('commit');
  return sql;
}

export type Statements = ReturnType<typeof statements>;

function statements(db: DatabaseSync) {
  const alive = '(expires is null or expires > ?)';
  const between = `select key, value from kv where key >= ? and key < ? and ${alive} order by key`;
  const forward = db.prepare(`${between} limit ?`);
  const backward = db.prepare(`${between} desc limit ?`);
  forward.setReturnArrays(true);
  backward.setReturnArrays(true);
  // A row that is deleted may make SQLite move its neighbours to another page, where it leaves copies of them that
  // no secure_delete finds. So all texts of a deletion go first, in their places, and the rows after them.
  const blank = `update kv set value = '', scope = null, terms = null, term_list = null where value <> ''`;
  const firstToTake = 'id in (select id from take_later order by id limit ?)';
  const whole = db.prepare(
    `select key, value, expires, scope, terms, term_list from kv where key >= ? and ${alive} order by key limit ?`,
  );
  const texts = db.prepare(
    `select id, key, value, expires, scope, terms, term_list from kv
     where id > ? and term_list is not null and ${alive} order by id limit ?`,
  );
  return {
    begin: db.prepare('begin'),
    beginWrite: db.prepare('begin immediate'),
    commit: db.prepare('commit'),
    rollback: db.prepare('rollback'),
    dataVersion: db.prepare('pragma data_version'),
    select: db.prepare(`select value from kv where key = ? and ${alive}`),
    forward,
    backward,
    whole,
    texts,
    upsert: db.prepare(
      `insert into kv (key, value, expires, scope, terms, term_list) values (?, ?, ?, ?, ?, ?)
       on conflict (key) do update set value = excluded.value, expires = excluded.expires,
       scope = excluded.scope, terms = excluded.terms, term_list = excluded.term_list`,
    ),
    anyUnmerged: db.prepare(
      `select 1 where (select max(id) from kv) > (select id from merged) or exists (select 1 from merge_later)`,
    ),
    mergeChanged: db.prepare(addChanged),
    mergeNew: db.prepare(addNew),
    forgetChanged: db.prepare('delete from merge_later'),
    markMerged: db.prepare('update merged set id = coalesce((select max(id) from kv), 0)'),
    anyToTake: db.prepare('select 1 from take_later limit 1'),
    takeSome: db.prepare(takeNoted(firstToTake)),
    forgetSome: db.prepare(`delete from take_later where ${firstToTake}`),
    blank: db.prepare(`${blank} and key = ?`),
    move: db.prepare(
      `update or ignore kv set key = ? where key = ? and value = '' and expires is null and term_list is null`,
    ),
    drop: db.prepare('delete from kv where key = ?'),
    blankBetween: db.prepare(`${blank} and key >= ? and key < ?`),
    dropBetween: db.prepare('delete from kv where key >= ? and key < ?'),
    // Those that are blank have the time 0, so that no row is looked at twice.
    blankExpired: db.prepare(
      `update kv set value = '', scope = null, terms = null, term_list = null, expires = 0
       where id in (select id from kv where expires > 0 and expires <= ? order by expires limit ?)`,
    ),
    dropBlank: db.prepare('delete from kv where id in (select id from kv where expires <= 0 limit ?)'),
  };
}

/** SQLite sorts a blob after every text, so the empty one is above all keys. */
export const upperBound = (key: string | undefined): string | Uint8Array => key ?? new Uint8Array(0);
