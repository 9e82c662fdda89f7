import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { SessionError } from '../errors.ts';
import { isNotADatabase } from './sqlite-errors.ts';

/** "asms", in the field of the file's header that says whose a database is. */
const applicationId = 0x61736d73;

/** Bytes of the smallest database there can be. */
const smallest = 512;

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
];

/**
 * Creates the file and its folder where they are missing, for the owner's eyes only, and looks at a file that
 * is there without locking or changing it.
 * @throws SessionError FAILED_PRECONDITION when it is not ours, or newer than this program
 */
export function prepareFile(path: string, open: (location: URL) => DatabaseSync): void {
  let size: number;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, 'a', 0o600));
    size = statSync(path).size;
  } catch (cause) {
    if (isCode(cause, 'ENOSPC'))
      throw new SessionError('RESOURCE_EXHAUSTED', 'The disk has no room for the session database.', {
        hint: 'Make room on the disk, or choose another place with --store.',
        cause,
      });
    // A file that may be read but not written is found out and reported by what follows.
    throw new SessionError('FAILED_PRECONDITION', 'The session database cannot be opened or created.', {
      hint: 'Check the path given with --store, and the permissions of its folder.',
      cause,
    });
  }
  if (size === 0) return;
  // SQLite would take so short a file for an empty one and write over it.
  if (size < smallest) throw notOurs();
  const url = pathToFileURL(path);
  url.search = '?immutable=1';
  try {
    const db = open(url);
    try {
      checkOwner(db);
    } finally {
      db.close();
    }
  } catch (error) {
    if (error instanceof SessionError) throw error;
    if (isNotADatabase(error)) throw notOurs(error);
    // Another process may be at work on the file at this moment. The real opening will tell.
  }
}

/** The number of steps that the database has taken. @throws SessionError FAILED_PRECONDITION */
function checkOwner(db: DatabaseSync): number {
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

function pragma(db: DatabaseSync, name: 'application_id' | 'user_version'): number {
  const row = db.prepare(`pragma ${name}`).get() as unknown as Record<string, number>;
  return row[name] ?? 0;
}

function notOurs(cause?: unknown): SessionError {
  return new SessionError('FAILED_PRECONDITION', 'The file is not a session database.', {
    hint: 'It was left as it is. Choose another file with --store.',
    cause,
  });
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
