/**
 * What it costs that deleted text is gone from the file: the transactions of the local backend on two files with
 * the same rows. One is as the store makes them; on the other deleted text stays (no secure_delete, no
 * incremental vacuum, words of deleted rows only marked, the log left as it is).
 */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { mergeEvery, writesOn } from '../src/store/sqlite/apply-writes.ts';
import { openSqlite } from '../src/store/sqlite/index.ts';
import { prepareOn } from '../src/store/sqlite/statements.ts';
import { fixed, heading, machine, median, row, scratch, whole } from './tools.ts';

const scale = Number(process.env.BENCH_SCALE ?? 1);
const size = (n: number) => Math.max(20, Math.round(n * scale));
const rounds = 9;
const text = 'The quick brown fox jumps over the lazy dog, and then it writes about it. '.repeat(8);
const words = (n: number) =>
  Array.from({ length: 25 }, (_, i) => `w${((n + 1) * (i * i + 7) * 2654435761) % 20_011}`).join(' ');
const scope = '1234567890123456';

const marking = `drop trigger kv_added; drop trigger kv_dropped; drop trigger kv_changed; drop table term_index;
  create virtual table term_index using fts5 (
    terms, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
  );
  create trigger kv_added after insert on kv when new.term_list is not null begin
    insert into term_index (rowid, terms)
      values (new.id, replace(new.term_list, ' ', ' ' || substr(new.term_list, 1, 16)));
  end;
  create trigger kv_dropped after delete on kv when old.term_list is not null begin
    delete from term_index where rowid = old.id;
  end;
  pragma auto_vacuum = none; vacuum;`;

interface Subject {
  name: string;
  /** One transaction. The log is emptied soon after deletes, and now and then otherwise. */
  run(deletes: boolean, work: () => void): void;
  put(key: string, value: string, terms?: string): void;
  drop(key: string): void;
  dropUnder(prefix: string): void;
  close(): void;
}

async function subject(name: string, erase: boolean, synchronous: 'full' | 'normal'): Promise<Subject> {
  const file = path.join(scratch(), 'e.db');
  await (await openSqlite({ path: file, durability: 'normal' })).close();
  const db = new DatabaseSync(file);
  if (!erase) db.exec(marking);
  db.exec(`pragma journal_mode = wal; pragma synchronous = ${synchronous}; pragma cache_size = -32768;
    pragma secure_delete = ${erase ? 'on' : 'off'}`);
  const put = db.prepare(
    `insert into kv (key, value, term_list) values (?, ?, ?)
     on conflict (key) do update set value = excluded.value, term_list = excluded.term_list`,
  );
  const drop = db.prepare('delete from kv where key = ?');
  const dropUnder = db.prepare("delete from kv where key >= ? and key < ? || '~'");
  const blank = "update kv set value = '', term_list = null where value <> ''";
  const blankOne = db.prepare(`${blank} and key = ?`);
  const blankUnder = db.prepare(`${blank} and key >= ? and key < ? || '~'`);
  // As the store does: what is not in the index yet would cost a delete nothing.
  const { mergeTerms } = erase ? writesOn(prepareOn(db)) : { mergeTerms() {} };
  let unmerged = 0;
  let emptied = performance.now();
  return {
    name,
    run(deletes, work) {
      db.exec('begin immediate');
      work();
      if (unmerged >= mergeEvery) {
        mergeTerms();
        unmerged = 0;
      }
      db.exec('commit');
      if (!erase || performance.now() - emptied < (deletes ? 1000 : 30_000)) return;
      db.exec('pragma wal_checkpoint(truncate)');
      emptied = performance.now();
    },
    put(key, value, terms) {
      put.run(key, value, terms ?? null);
      if (terms !== undefined) unmerged += 1;
    },
    drop(key) {
      if (erase) blankOne.run(key);
      drop.run(key);
    },
    dropUnder(prefix) {
      if (erase) blankUnder.run(prefix, prefix);
      dropUnder.run(prefix, prefix);
    },
    close: () => db.close(),
  };
}

const head = (n: number) =>
  JSON.stringify({ revision: n, last: text.slice(0, 200), labels: {}, user: 'ada' });
const key = (n: number) => String(n).padStart(9, '0');

function append(to: Subject, session: string, n: number): void {
  to.put(`s/${session}`, head(n));
  to.put(`x/${session}/e/${key(n)}`, JSON.stringify({ id: `e${n}`, text, n }));
  to.put(`x/${session}/i/e${n}`, String(n));
  to.drop(`lu/${session}/${key(n)}`);
  to.put(`lu/${session}/${key(n + 1)}`, '');
}

/** One kind of transaction: its first call prepares what it works on. */
type Transaction = (on: Subject, n: number) => void;

const kinds: [name: string, count: number, prepare: Transaction | undefined, work: Transaction][] = [
  ['append an event', 1000, undefined, (on, n) => append(on, 'big', n)],
  [
    'delete an event',
    300,
    (on, n) => append(on, 'cut', n),
    (on, n) => {
      on.put('s/cut', head(n));
      on.drop(`x/cut/e/${key(n)}`);
      on.put(`x/cut/i/e${n}`, '-1');
    },
  ],
  [
    'delete a session of 100 events',
    20,
    (on, n) => {
      for (let i = 0; i < 100; i += 1) append(on, `gone${n}`, i);
    },
    (on, n) => {
      on.drop(`s/gone${n}`);
      on.dropUnder(`x/gone${n}/`);
    },
  ],
  [
    'store a memory of 25 words',
    500,
    undefined,
    (on, n) => on.put(`r/${key(n)}`, text.slice(0, 200), `${scope} ${words(n)}`),
  ],
  ['delete a memory of 25 words', 300, undefined, (on, n) => on.drop(`r/${key(n)}`)],
];

export default async function run(): Promise<void> {
  machine();
  for (const durability of ['full', 'normal'] as const) {
    heading(`Deleted text gone at once, beside left to be overwritten some day (durability ${durability})`);
    const subjects = [await subject('left', false, durability), await subject('gone', true, durability)];
    for (const [name, count, prepare, work] of kinds) compare(subjects, name, size(count), prepare, work);
    for (const { close } of subjects) close();
  }
}

function compare(
  subjects: readonly Subject[],
  name: string,
  count: number,
  prepare: Transaction | undefined,
  work: Transaction,
): void {
  const took = subjects.map(() => [] as number[]);
  for (let round = 0; round < rounds; round += 1) {
    const from = round * count;
    const turns = [...subjects.entries()];
    // Whoever comes second finds the disk busy with what the first wrote.
    if (round % 2 === 1) turns.reverse();
    for (const [i, on] of turns) {
      const each = (what: Transaction, perTransaction: number) => {
        for (let n = from; n < from + count; n += perTransaction)
          on.run(name.startsWith('delete'), () => {
            for (let k = n; k < Math.min(n + perTransaction, from + count); k += 1) what(on, k);
          });
      };
      if (prepare !== undefined) each(prepare, 100);
      const start = performance.now();
      each(work, 1);
      took[i]?.push((performance.now() - start) / count);
    }
  }
  const [left = 0, gone = 0] = took.map(median);
  row(name, `${fixed(gone, 3)} ms = ${fixed(gone / left)} × left (${whole(1000 / gone)}/s)`);
}
