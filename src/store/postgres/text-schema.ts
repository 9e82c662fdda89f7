import { lockSpace, prefix } from './names.ts';

/** Held by whoever moves new texts into the index. */
const indexLock = 3;

/**
 * The inverted index: for each term the ids of the entries that hold it, in segments of many ids, since a row for
 * each id would cost several times the entry itself. A new text is listed as fresh, and searched as it stands, until
 * some hundred are merged into segments at once; what is dropped or replaced is taken out of them in the same way.
 * Its id finds nothing as soon as it is dropped, since no id is used twice.
 */
export const textSchema = `
  create table ${prefix}fresh (scope_digest text collate "C", id bigint, primary key (scope_digest, id));
  create table ${prefix}gone (id bigint primary key, term_list text not null);
  create table ${prefix}terms (
    term text collate "C", last bigint, ids bigint[] not null, primary key (term, last)
  );

  create function ${prefix}follow() returns trigger language plpgsql as $$
  begin
    if tg_op <> 'INSERT' and old.term_list is not null then
      delete from ${prefix}fresh where scope_digest = split_part(old.term_list, ' ', 1) and id = old.id;
      if not found then
        insert into ${prefix}gone values (old.id, old.term_list);
      end if;
    end if;
    if tg_op <> 'DELETE' and new.term_list is not null then
      insert into ${prefix}fresh values (split_part(new.term_list, ' ', 1), new.id);
    end if;
    return null;
  end $$;
  create trigger ${prefix}kv_added after insert on ${prefix}kv for each row
    when (new.term_list is not null) execute function ${prefix}follow();
  create trigger ${prefix}kv_changed after update on ${prefix}kv for each row
    when (old.term_list is not null or new.term_list is not null) execute function ${prefix}follow();
  create trigger ${prefix}kv_dropped after delete on ${prefix}kv for each row
    when (old.term_list is not null) execute function ${prefix}follow();

  create function ${prefix}merge(most integer) returns integer
    language plpgsql set enable_seqscan = off set jit = off as $$
  declare
    taken bigint[];
    lost bigint[];
  begin
    if not pg_try_advisory_xact_lock(${lockSpace}, ${indexLock}) then
      return 0;
    end if;
    with batch as (
      delete from ${prefix}fresh where (scope_digest, id) in (
        select scope_digest, id from ${prefix}fresh limit most for update skip locked
      ) returning id
    ) select coalesce(array_agg(id), '{}') into taken from batch;
    insert into ${prefix}terms
      select found.term, max(found.id), array_agg(found.id order by found.id) from (
        select kv.id, ${termOf('kv')} as term
        from ${prefix}kv kv, string_to_table(kv.term_list, ' ') with ordinality as one (term, place)
        where kv.id = any(taken) and kv.term_list is not null
      ) as found group by found.term order by found.term;

    with batch as (
      delete from ${prefix}gone where id in (
        select id from ${prefix}gone order by id limit most for update skip locked
      ) returning id, term_list
    ), found as (
      select batch.id, ${termOf('batch')} as term
      from batch, string_to_table(batch.term_list, ' ') with ordinality as one (term, place)
    ), grouped as (
      select found.term, array_agg(found.id) as ids, min(found.id) as least from found group by found.term
    ), changed as (
      update ${prefix}terms segment set ids = array(
        select one from unnest(segment.ids) as one where one <> all(grouped.ids) order by one
      ) from grouped
      where segment.term = grouped.term and segment.last >= grouped.least and segment.ids && grouped.ids
    ) select coalesce(array_agg(id), '{}') into lost from batch;
    if cardinality(lost) > 0 then
      delete from ${prefix}terms where ids = '{}';
    end if;
    return cardinality(taken) + cardinality(lost);
  end $$;

  create function ${prefix}newest(wanted text, most integer) returns bigint[]
    language plpgsql stable set enable_seqscan = off set jit = off as $$
  declare
    segment bigint[];
    all_ids bigint[] := '{}';
  begin
    for segment in select ids from ${prefix}terms where term = wanted order by last desc loop
      all_ids := segment || all_ids;
      exit when cardinality(all_ids) >= most;
    end loop;
    return all_ids;
  end $$`;

/** The first of a list is the digest of the scope, which stands for all entries of it and begins all other terms. */
function termOf(row: string): string {
  return `case when one.place = 1 then one.term else split_part(${row}.term_list, ' ', 1) || one.term end`;
}
