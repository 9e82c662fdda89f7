import type { Connection, Run } from './connection.ts';
import { isNoSuchTable, newerStore } from './errors.ts';
import { lockSpace, prefix } from './names.ts';
import { textSchema } from './text-schema.ts';

/** Held by whoever makes or changes the tables. */
const schemaLock = 1;
/** Shared by all commits, and held alone by one that drops everything under a prefix. */
const prefixLock = 2;

/**
 * Writes entries. Rows are locked in the order of their keys, so that no two commits wait for each other, and numbered
 * in the order of the writes. An entry with a new text gets a new id, so that what the index says of the old one finds
 * nothing.
 */
const upsert = (which: string): string =>
  `with put as materialized (
     select nextval('${prefix}kv_id_seq') as id, one.*
     from unnest(put_keys, put_new, put_values, put_expires, put_scopes, put_terms, put_lists)
       as one (key, is_new, value, expires, scope, terms, list)
     where ${which}
   )
   insert into ${prefix}kv (id, key, value, expires, scope, terms, term_list)
     select put.id, put.key, put.value, put.expires, put.scope, put.terms, put.list from put order by put.key
     ${replace}`;

/** As it was before version 2: numbered in the order of the keys. */
const upsertInOrderOfKeys = (which: string): string =>
  `insert into ${prefix}kv (key, value, expires, scope, terms, term_list)
     select one.key, one.value, one.expires, one.scope, one.terms, one.list
     from unnest(put_keys, put_new, put_values, put_expires, put_scopes, put_terms, put_lists)
       as one (key, is_new, value, expires, scope, terms, list)
     where ${which} order by one.key
     ${replace}`;

const replace = `on conflict (key) do update set value = excluded.value, expires = excluded.expires,
       scope = excluded.scope, terms = excluded.terms, term_list = excluded.term_list,
       id = case when excluded.term_list is null then ${prefix}kv.id else excluded.id end`;

/**
 * A commit is one call of a function, and so one transaction that no lost client can leave open: it locks the rows
 * of what was read, compares them with what the decision saw, and writes. What an update read stays locked until it
 * is durable, also where there was nothing: a row that is taken out again stands for it meanwhile. Only
 * documented PL/pgSQL and row locks: no extension, no isolation level but the usual one.
 */
const commitFunction = (write: (which: string) => string, planning = ''): string =>
  `create or replace function ${prefix}commit(
     own_token uuid, moment bigint,
     changed_keys text[], changed_seen text[],
     kept_keys text[], kept_seen text[],
     drop_from text[], drop_to text[],
     dropped_keys text[],
     put_keys text[], put_new boolean[], put_values text[], put_expires bigint[],
     put_scopes text[], put_terms integer[], put_lists text[]
   ) returns text[] language plpgsql set lock_timeout = '10s' set enable_seqscan = off set jit = off ${planning} as $$
   declare
     same boolean;
     placed text[];
     written bigint;
     i integer;
   begin
     if cardinality(drop_from) > 0 then
       perform pg_advisory_xact_lock(${lockSpace}, ${prefixLock});
     else
       perform pg_advisory_xact_lock_shared(${lockSpace}, ${prefixLock});
     end if;

     select coalesce(bool_and(row.value is not distinct from read.seen), true) into same
       from unnest(changed_keys, changed_seen) as read (key, seen) left join (
         select kv.key, case when kv.expires <= moment then null else kv.value end as value
           from ${prefix}kv kv where kv.key = any(changed_keys) order by kv.key for update
       ) as row on row.key = read.key;
     if same and cardinality(kept_keys) > 0 then
       select coalesce(bool_and(row.value is not distinct from read.seen), true) into same
         from unnest(kept_keys, kept_seen) as read (key, seen) left join (
           select kv.key, case when kv.expires <= moment then null else kv.value end as value
             from ${prefix}kv kv where kv.key = any(kept_keys) order by kv.key for share
         ) as row on row.key = read.key;
     end if;
     if not same then
       return array(
         select kv.value from unnest(changed_keys || kept_keys) with ordinality as read (key, place)
           left join ${prefix}kv kv on kv.key = read.key and (kv.expires is null or kv.expires > moment)
           order by read.place
       );
     end if;

     placed := array(select key from unnest(kept_keys, kept_seen) as read (key, seen) where seen is null);
     if cardinality(placed) > 0 then
       insert into ${prefix}kv (key, value, expires)
         select key, '', 0 from unnest(placed) as read (key) order by key
         on conflict (key) do nothing;
       perform from ${prefix}kv kv
         where kv.key = any(placed) and (kv.expires is null or kv.expires > moment);
       if found then
         raise exception 'something was written where nothing was read' using errcode = '40001';
       end if;
     end if;

     insert into ${prefix}commits (token) values (own_token);

     for i in 1 .. cardinality(drop_from) loop
       if drop_to[i] is null then
         delete from ${prefix}kv kv where kv.key >= drop_from[i];
       else
         delete from ${prefix}kv kv where kv.key >= drop_from[i] and kv.key < drop_to[i];
       end if;
     end loop;
     if cardinality(dropped_keys) > 0 then
       delete from ${prefix}kv kv where kv.key = any(dropped_keys);
     end if;
     if true = any(put_new) then
       ${write('one.is_new')}
         where ${prefix}kv.expires <= moment;
       get diagnostics written = row_count;
       if written < cardinality(array_positions(put_new, true)) then
         raise exception 'something was written where nothing was read' using errcode = '40001';
       end if;
     end if;
     ${write('not one.is_new')};

     if cardinality(placed) > 0 then
       delete from ${prefix}kv kv where kv.key = any(placed) and kv.expires <= moment;
     end if;
     return null;
   end $$`;

/**
 * The schema, as the steps that lead to it. Their number is the version of the store. Steps are only ever added.
 */
const steps: readonly string[] = [
  `create table ${prefix}kv (
     id bigserial,
     key text collate "C" primary key,
     value text not null,
     expires bigint,
     scope text,
     terms integer,
     term_list text
   ) with (fillfactor = 90);
   create index ${prefix}kv_expires on ${prefix}kv (expires) where expires is not null;
   create unique index ${prefix}kv_text on ${prefix}kv (id) where term_list is not null;

   create table ${prefix}commits (token uuid primary key, forestalled boolean not null default false);

   ${commitFunction(upsertInOrderOfKeys)};
   ${textSchema}`,

  // Planned once for each session: planning anew takes longer than all that it plans.
  // The newest segments of a term are read in their order until there is enough, and never all of them to be sorted.
  `${commitFunction(upsert, 'set plan_cache_mode = force_generic_plan')};
   alter function ${prefix}newest(text, integer) set enable_bitmapscan = off;
   alter function ${prefix}newest(text, integer) set enable_sort = off`,
];

export const newestVersion = steps.length;

const findVersion = { name: 'asms_version', text: `select version from ${prefix}meta` };
const setVersion = { name: 'asms_set_version', text: `update ${prefix}meta set version = $1` };
const statement = (text: string) => ({ name: '', text, isLong: true });

/**
 * Makes or changes the tables, where that is still to do. Any number of servers may start at once.
 * @throws SessionError FAILED_PRECONDITION when the store is of a newer version
 */
export async function migrate(connection: Connection): Promise<void> {
  // Looked at first: even "create … if not exists" would wait for all who write, and they for it.
  if ((await versionOf(connection.run)) === steps.length) return;
  await connection.session(async (run) => {
    await run(statement('begin'));
    try {
      await run(statement('set local lock_timeout = 0; set local statement_timeout = 0'));
      await run(statement(`select pg_advisory_xact_lock(${lockSpace}, ${schemaLock})`));
      // A failed look would end the transaction, so this one asks the catalogue.
      const [[there] = []] = await run(statement(`select to_regclass('${prefix}meta') is not null`));
      if (there !== true)
        await run(
          statement(
            `create table ${prefix}meta (version integer not null); insert into ${prefix}meta values (0)`,
          ),
        );
      for (let version = await versionOf(run); version < steps.length; version++) {
        await run(statement(steps[version] ?? ''));
        await run(setVersion, [version + 1]);
      }
      await run(statement('commit'));
    } catch (error) {
      await run(statement('rollback')).catch(() => {});
      throw error;
    }
  });
}

/**
 * How many steps the store has taken; 0 where there is none.
 * @throws SessionError FAILED_PRECONDITION when it is of a newer version
 */
export async function versionOf(run: Run): Promise<number> {
  try {
    const [[version] = []] = await run(findVersion);
    if (Number(version) > steps.length) throw newerStore(Number(version), steps.length);
    return Number(version ?? 0);
  } catch (error) {
    if (isNoSuchTable(error)) return 0;
    throw error;
  }
}
