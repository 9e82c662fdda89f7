import type { DatabaseSync } from 'node:sqlite';
import { SessionError } from '../../errors.ts';
import { notOurs } from './errors.ts';
import { scopeDigits } from './text-index.ts';

/** "asms", in the field of the file's header that says whose a database is. */
const applicationId = 0x61736d73;

/** The terms of a row as the index holds them: each after the digits of its scope, which begin the list. */
const indexText = (row: 'old' | 'new' | 'take_later') =>
  `replace(${row}.term_list, ' ', ' ' || substr(${row}.term_list, 1, ${scopeDigits}))`;

const addToIndex = `insert into term_index (rowid, terms) select new.id, ${indexText('new')}`;
const takeFromIndex = `insert into term_index (term_index, rowid, terms) select 'delete', old.id, ${indexText('old')}`;

const isNotNoted = 'not exists (select 1 from unmerged where id = old.id)';
const isMerged = `old.id <= (select id from merged) and not exists (select 1 from merge_later where id = old.id)`;

/** Whether a row that had a text stays without one. */
const isHidden = `old.term_list is not null and new.term_list is null and new.value <> ''`;

/** Takes the terms of some of the rows that are noted in `take_later`, which are then to be taken from there. */
export const takeNoted = (which: string) =>
  `insert into term_index (term_index, rowid, terms) select 'delete', id, ${indexText('take_later')}
   from take_later where ${which}`;

/** Adds to the index the lists of rows up to the mark that it does not hold; `merge_later` is to be emptied with it. */
export const addChanged = `insert into term_index (rowid, terms)
  select new.id, ${indexText('new')} from merge_later cross join kv as new using (id) order by id`;

/** Adds the lists of all rows after the mark, which is to be moved with it. */
export const addNew = `insert into term_index (rowid, terms)
  select new.id, ${indexText('new')} from kv as new
  where new.id > (select id from merged) and new.term_list is not null order by new.id`;

/**
 * The schema, as the steps that lead to it. A file's `user_version` is the number of steps that it has taken.
 * Steps are only ever added.
 */
const steps: readonly string[] = [
  // The rows have ids, since `without rowid` makes large values costly and the text index needs a number.
  `create table kv (
     id integer primary key,
     key text not null unique,
     value text not null,
     expires integer
   );
   create index kv_expires on kv (expires) where expires is not null;
   pragma application_id = ${applicationId};`,

  // A row with a scope has its terms in the index. The triggers take them out when the row goes or changes,
  // whatever statement does it.
  `alter table kv add column scope text;
   alter table kv add column terms integer;
   create virtual table words using fts5 (
     terms, content = '', contentless_delete = 1, detail = none, tokenize = 'porter ascii'
   );
   create trigger kv_dropped after delete on kv when old.scope is not null begin
     delete from words where rowid = old.id;
   end;
   create trigger kv_changed after update on kv when old.scope is not null begin
     delete from words where rowid = old.id;
   end;`,

  // The index of step 2 only marks deleted rows: their words stay in the file for months. With the list of its
  // terms beside each row, FTS5 can take them out at once ('secure-delete', sqlite.org/fts5.html). The terms
  // of existing rows are read from the old index, stemmed as they are there; words.ts stems them from now on.
  // Under a new name, so that a process of an older version fails instead of writing what is never taken out.
  `drop trigger kv_dropped;
   drop trigger kv_changed;
   alter table kv add column term_list text;
   create virtual table temp.old_terms using fts5vocab (main, words, instance);
   update kv set term_list = found.list from (
     select doc, group_concat(iif(length(term) = ${scopeDigits}, term, substr(term, ${scopeDigits + 1})), ' '
       order by length(term) > ${scopeDigits}) as list
     from old_terms group by doc
   ) as found where kv.id = found.doc and kv.scope is not null;
   drop table temp.old_terms;
   drop table words;
   create virtual table term_index using fts5 (terms, content = '', detail = none, tokenize = 'ascii');
   insert into term_index (term_index, rank) values ('secure-delete', 1);
   ${addToIndex} from kv as new where new.term_list is not null;
   create trigger kv_added after insert on kv when new.term_list is not null begin
     ${addToIndex};
   end;
   create trigger kv_dropped after delete on kv when old.term_list is not null begin
     ${takeFromIndex};
   end;
   create trigger kv_changed after update on kv
     when old.term_list is not null or new.term_list is not null
   begin
     ${takeFromIndex} where old.term_list is not null;
     ${addToIndex} where new.term_list is not null;
   end;`,

  // FTS5 writes several pages whenever a transaction adds to it, and with triggers for every single row. New rows
  // are noted here instead, and searches read their lists from the rows until some hundred go into the index at
  // once. What is dropped or replaced still goes out of the index at once.
  `create table unmerged (id integer primary key);
   drop trigger kv_added;
   drop trigger kv_dropped;
   drop trigger kv_changed;
   create trigger kv_added after insert on kv when new.term_list is not null begin
     insert into unmerged (id) values (new.id);
   end;
   create trigger kv_dropped after delete on kv when old.term_list is not null begin
     ${takeFromIndex} where ${isNotNoted};
     delete from unmerged where id = old.id;
   end;
   create trigger kv_changed after update on kv
     when old.term_list is not null or new.term_list is not null
   begin
     ${takeFromIndex} where old.term_list is not null and ${isNotNoted};
     delete from unmerged where id = old.id;
     insert into unmerged (id) select new.id where new.term_list is not null;
   end;`,

  // To take a row out, FTS5 reads the page of each of its words from the beginning: with pages of 4 KB that is some
  // milliseconds for a row, with small ones a tenth of it. What is in the index already stays in its pages until they
  // are merged.
  `insert into term_index (term_index, rank) values ('pgsz', 500);`,

  // A note for each new row is a row and a page more in each commit. Ids tell the same: the index holds nothing of the
  // rows after a mark, which are the newest, and all rows up to it but those that are noted. Under a new name, so that
  // a process of an older version fails instead of missing what is new.
  `create table merged (id integer not null);
   insert into merged (id) select coalesce(max(id), 0) from kv;
   create table merge_later (id integer primary key);
   insert into merge_later (id) select id from unmerged;
   drop table unmerged;
   drop trigger kv_added;
   drop trigger kv_dropped;
   drop trigger kv_changed;
   create trigger kv_added after insert on kv
     when new.term_list is not null and new.id <= (select id from merged)
   begin
     insert into merge_later (id) values (new.id);
   end;
   create trigger kv_dropped after delete on kv when old.term_list is not null begin
     ${takeFromIndex} where ${isMerged};
     delete from merge_later where id = old.id;
   end;
   create trigger kv_changed after update on kv
     when old.term_list is not null or new.term_list is not null
   begin
     ${takeFromIndex} where old.term_list is not null and ${isMerged};
     delete from merge_later where id = old.id;
     insert into merge_later (id)
       select new.id where new.term_list is not null and new.id <= (select id from merged);
   end;`,

  // To take a row's terms out of FTS5 costs several times what all else of its change costs, and a rewinding hides
  // thousands of rows in one transaction. Terms of a row that stays, without a text, are noted here and go out later, some at a
  // time; searches pass over their ids until then. If the same terms come back first, nothing was done for nothing.
  // No row is in both tables. What is erased or replaced still goes out of the index at once.
  `create table take_later (id integer primary key, term_list text not null);
   drop trigger kv_changed;
   create trigger kv_changed after update on kv when old.term_list is not new.term_list begin
     insert into take_later (id, term_list) select old.id, old.term_list where ${isHidden} and ${isMerged};
     ${takeFromIndex} where old.term_list is not null and not (${isHidden}) and ${isMerged};
     delete from merge_later where id = old.id;
     insert into merge_later (id)
       select new.id where new.term_list is not null and new.id <= (select id from merged)
         and not exists (select 1 from take_later where id = new.id and term_list = new.term_list);
     ${takeNoted('id = new.id and term_list <> new.term_list')};
     delete from take_later where id = new.id and new.term_list is not null;
   end;
   create trigger kv_erased after update of value on kv
     when old.term_list is null and new.term_list is null and old.value <> new.value
       and exists (select 1 from take_later where id = old.id)
   begin
     ${takeNoted('id = old.id')};
     delete from take_later where id = old.id;
   end;
   create trigger kv_dropped_hidden after delete on kv
     when old.term_list is null and exists (select 1 from take_later where id = old.id)
   begin
     ${takeNoted('id = old.id')};
     delete from take_later where id = old.id;
   end;`,
];

/** Of the files that this program writes. */
export const schemaVersion = steps.length;

/** The number of steps that the database has taken. @throws SessionError FAILED_PRECONDITION */
export function checkOwner(db: DatabaseSync): number {
  const owner = pragma(db, 'application_id');
  const version = pragma(db, 'user_version');
  const tables = db.prepare('select count(*) as n from sqlite_schema').get() as unknown as { n: number };
  if (owner !== applicationId && (owner !== 0 || tables.n > 0)) throw notOurs();
  if (version > steps.length)
    throw new SessionError(
      'FAILED_PRECONDITION',
      'The session database was written by a newer version of this program.',
      {
        hint: 'Update agent-sessions-mcp, or choose another file with --store.',
        details: { version, supportedVersion: steps.length },
      },
    );
  return version;
}

/** Brings the schema up to date. Throws SQLite's own error while another process is doing so. */
export function migrate(db: DatabaseSync): void {
  // Taken even when there is nothing to do: it shows whether the file can be written at all.
  db.exec('begin immediate');
  try {
    for (let version = checkOwner(db); version < steps.length; version++)
      db.exec(`${steps[version]}; pragma user_version = ${version + 1};`);
    db.exec('commit');
  } catch (error) {
    if (db.isTransaction) db.exec('rollback');
    throw error;
  }
}

/** Bytes of the largest file that is rewritten when it is opened: it takes about a second for 100 MB. */
const rewriteLimit = 256 * 1024 * 1024;

/**
 * Rewrites a file of the first version, whose free space still holds what was deleted and cannot be given
 * back to the disk. A larger one stays as it is until a backup of it is restored.
 */
export function rewriteOldFile(db: DatabaseSync): void {
  if (shrinks(db) || pragma(db, 'page_count') * pragma(db, 'page_size') > rewriteLimit) return;
  try {
    db.exec(`${makeShrinkable}; vacuum`);
  } catch {
    // Another process is writing, or the disk has no room for a second copy: the next opening tries again.
  }
}

/** Pages of 4 KiB of the largest file that is rewritten after a deletion: others wait some 20 ms for it. */
const mostRewritten = 512;

/**
 * Rewrites a small file, so that nothing is left of what was deleted from it. Where SQLite moves rows from one page to
 * another, copies may stay behind, in a place that no row fills (sqlite.org/fileformat2.html, "unallocated space").
 * A larger file is not rewritten: there only rows that were moved while they still had their text can leave some.
 */
export function rewriteSmallFile(db: DatabaseSync): void {
  if (pragma(db, 'page_count') > mostRewritten) return;
  // In memory, since the copy would be a file in another folder.
  db.exec('pragma temp_store = memory; vacuum; pragma temp_store = default');
}

/** What a file must be told before its first page is written, by whoever makes or rewrites it. */
export const makeShrinkable = 'pragma auto_vacuum = incremental';

/** Whether the file can shrink, as files do that this version made or rewrote. */
export const shrinks = (db: DatabaseSync): boolean => pragma(db, 'auto_vacuum') === 2;

type NumberPragma =
  | 'application_id'
  | 'user_version'
  | 'auto_vacuum'
  | 'page_count'
  | 'page_size'
  | 'freelist_count';

export function pragma(db: DatabaseSync, name: NumberPragma): number {
  const row = db.prepare(`pragma ${name}`).get() as unknown as Record<string, number>;
  return row[name] ?? 0;
}
