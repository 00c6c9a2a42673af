-- Which indexes are large enough to be looked at, and what are they made of?
with
  -- No index is opened: sizes are those of the last vacuum or analyze.
  large as materialized (
    select c.oid, c.relpages as pages
    from pg_catalog.pg_class c
    where c.relkind = 'i'
      and c.relpages > 0
      and c.relpages >= $1::float8 / pg_catalog.current_setting('block_size')::int
    union all
    -- Where its table has more than doubled since, what its rows take at the least is known: 6 bytes each in a btree.
    select i.indexrelid, g.pages
    from (
      select t.oid, pg_catalog.ceil(l.live * 6.0 / pg_catalog.current_setting('block_size')::int)::int as pages
      from pg_catalog.pg_class t
      cross join lateral (select pg_catalog.pg_stat_get_live_tuples(t.oid) offset 0) l (live)
      where t.relkind in ('r', 'm')
        and l.live * 6 >= $1::float8
        and l.live > 2 * greatest(t.reltuples, 0)
      order by l.live desc
      limit 500
    ) g
    join pg_catalog.pg_index i on i.indrelid = g.oid
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_am m on m.oid = c.relam
    where m.amname = 'btree'
      and i.indpred is null
      and g.pages > c.relpages
  ),
  candidates as materialized (
    select
      i.*, c.relname, c.relnamespace, c.relpages, c.reltuples, c.reloptions, c.relfilenode, m.amname,
      t.relname as table_name, t.relnamespace as table_namespace, t.reltuples as table_rows, t.relpages as table_pages,
      l.pages
    from (select a.oid, pg_catalog.max(a.pages) from large a group by a.oid) l (oid, pages)
    join pg_catalog.pg_class c on c.oid = l.oid
    join pg_catalog.pg_index i on i.indexrelid = c.oid
    join pg_catalog.pg_class t on t.oid = i.indrelid
    join pg_catalog.pg_am m on m.oid = c.relam
    where c.relpersistence <> 't'
      and t.relkind in ('r', 'm')
      -- Below it is the server's own.
      and c.oid >= 16384
      and i.indisvalid
    order by l.pages desc, c.oid
    limit 5000
  )
select
  c.indexrelid as oid,
  n.nspname::text as schema,
  c.relname::text as name,
  c.relfilenode::text as file,
  c.indrelid::oid::text as "tableOid",
  -- No server rebuilds such a one concurrently.
  c.indisexclusion as "isExclusion",
  pg_catalog.format('%I.%I', n.nspname, c.relname) as qualified,
  pg_catalog.format('%I.%I', tn.nspname, c.table_name) as table,
  c.amname::text as method,
  c.pages,
  -- Those of a partial one only it knows.
  case
    when c.pages > c.relpages then null
    when c.indpred is not null and c.reltuples >= 0 then c.reltuples
    when c.indpred is null and c.table_rows >= 0 and c.table_pages > 0 then c.table_rows
  end::float8 as rows,
  case when c.table_rows >= 0 then c.table_rows else 0 end::float8 as "tableRows",
  c.indpred is not null as "isPartial",
  coalesce(o.fillfactor, 90) as fillfactor,
  pg_catalog.current_setting('block_size')::int as "blockSize",
  -- Equal keys share one tuple, from 13 on, if equal values are equal byte by byte.
  c.amname = 'btree'
    and not c.indisunique
    and c.indnatts = c.indnkeyatts
    and coalesce(pg_catalog.lower(o.deduplicate) not in ('off', 'false', 'no', '0'), true)
    and not exists (
      select
      from rows from (pg_catalog.unnest(c.indclass::oid[]), pg_catalog.unnest(c.indcollation::oid[])) k (opclass, collation_oid)
      join pg_catalog.pg_opclass oc on oc.oid = k.opclass
      where not exists (
        select
        from pg_catalog.pg_amproc a
        join pg_catalog.pg_proc p on p.oid = a.amproc
        where a.amprocfamily = oc.opcfamily
          and a.amproclefttype = oc.opcintype
          and a.amprocrighttype = oc.opcintype
          and a.amprocnum = 4
          and (
            p.proname = 'btequalimage'
            or p.proname = 'btvarstrequalimage'
              and coalesce(
                (select l.collisdeterministic from pg_catalog.pg_collation l where l.oid = k.collation_oid), true
              )
          )
      )
    ) as deduplicates,
  pg_catalog.pg_stat_get_dead_tuples(c.indrelid)::float8 as "deadRows",
  pg_catalog.pg_stat_get_live_tuples(c.indrelid)::float8 as "liveRows",
  pg_catalog.pg_stat_get_mod_since_analyze(c.indrelid)::float8 as "changesSinceAnalyze",
  greatest(
    pg_catalog.pg_stat_get_last_analyze_time(c.indrelid), pg_catalog.pg_stat_get_last_autoanalyze_time(c.indrelid)
  ) is not null as "isAnalyzed"
from candidates c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_namespace tn on tn.oid = c.table_namespace
cross join lateral (
  select
    pg_catalog.max(p.option_value) filter (where p.option_name = 'fillfactor')::int as fillfactor,
    pg_catalog.max(p.option_value) filter (where p.option_name = 'deduplicate_items') as deduplicate
  from pg_catalog.pg_options_to_table(c.reloptions) p
) o
order by c.pages desc, c.indexrelid
limit 5000
