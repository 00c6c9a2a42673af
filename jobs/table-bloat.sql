-- Which tables, with what is outside their rows, are large enough to be looked at?
with
  -- No table is opened: sizes are those of the last vacuum or analyze.
  tables as materialized (
    select
      c.oid, c.relname, c.relnamespace, c.relkind, c.relpages, c.reltuples, c.reltoastrelid, c.reloptions, c.relfilenode,
      coalesce(t.relpages, 0) as toast_pages,
      coalesce(t.reltuples, 0) as toast_rows,
      case when c.relispartition then pg_catalog.pg_partition_root(c.oid)::oid else c.oid end as root
    from pg_catalog.pg_class c
    left join pg_catalog.pg_class t on t.oid = c.reltoastrelid
    join pg_catalog.pg_am m on m.oid = c.relam
    where c.relkind in ('r', 'm')
      and c.relpersistence <> 't'
      and m.amname = 'heap'
      -- Below it is the server's own.
      and c.oid >= 16384
  ),
  -- A partitioned table counts as one. Where vacuum and analyze have not been since it doubled, so many rows may be that large.
  sized as materialized (
    select
      t.*,
      pg_catalog.sum((t.relpages + t.toast_pages)::float8) over (partition by t.root) as root_pages,
      case
        when t.relpages = 0 or pg_catalog.pg_stat_get_live_tuples(t.oid) > 2 * greatest(t.reltuples, 0)
          then pg_catalog.pg_stat_get_live_tuples(t.oid)
        else 0
      end as unsized_rows
    from tables t
  ),
  candidates as materialized (
    select s.*
    from sized s
    where s.root_pages * pg_catalog.current_setting('block_size')::int >= $1::float8
      or s.unsized_rows * pg_catalog.current_setting('block_size')::float8 > $1::float8
    order by s.root_pages desc, s.unsized_rows desc, s.oid
    limit 5000
  )
select
  c.oid,
  n.nspname::text as schema,
  c.relname::text as name,
  c.relfilenode::text as file,
  pg_catalog.format('%I.%I', n.nspname, c.relname) as qualified,
  c.root as "rootOid",
  rn.nspname::text as "rootSchema",
  r.relname::text as "rootName",
  pg_catalog.format('%I.%I', rn.nspname, r.relname) as "rootQualified",
  c.relpages as pages,
  -- Before 14 also 0 where nothing is known yet.
  case when c.reltuples < 0 or c.relpages = 0 then null else c.reltuples end::float8 as rows,
  nullif(c.reltoastrelid, 0) as "toastOid",
  c.toast_pages as "toastPages",
  case when c.toast_rows < 0 or c.toast_pages = 0 then null else c.toast_rows end::float8 as "toastRows",
  coalesce(o.fillfactor, 100) as fillfactor,
  coalesce(o.toast_tuple_target, 2032) as "toastTupleTarget",
  pg_catalog.current_setting('block_size')::int as "blockSize",
  pg_catalog.pg_stat_get_dead_tuples(c.oid)::float8 as "deadRows",
  pg_catalog.pg_stat_get_live_tuples(c.oid)::float8 as "liveRows",
  pg_catalog.pg_stat_get_dead_tuples(c.reltoastrelid)::float8 as "toastDeadRows",
  pg_catalog.pg_stat_get_mod_since_analyze(c.oid)::float8 as "changesSinceAnalyze",
  greatest(
    pg_catalog.pg_stat_get_last_analyze_time(c.oid), pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid)
  ) is not null as "isAnalyzed",
  greatest(
    pg_catalog.pg_stat_get_last_vacuum_time(c.oid), pg_catalog.pg_stat_get_last_autovacuum_time(c.oid)
  ) is not null as "isVacuumed",
  coalesce((extract(epoch from pg_catalog.pg_stat_get_last_vacuum_time(c.oid)) * 1000000)::bigint, 0)::text
    as "vacuumedAt",
  greatest(
    pg_catalog.pg_stat_get_last_vacuum_time(c.reltoastrelid),
    pg_catalog.pg_stat_get_last_autovacuum_time(c.reltoastrelid)
  ) is not null as "isToastVacuumed"
from candidates c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_class r on r.oid = c.root
join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
cross join lateral (
  select
    pg_catalog.max(p.option_value) filter (where p.option_name = 'fillfactor')::int as fillfactor,
    pg_catalog.max(p.option_value) filter (where p.option_name = 'toast_tuple_target')::int as toast_tuple_target
  from pg_catalog.pg_options_to_table(c.reloptions) p
) o
order by c.root_pages desc, c.unsized_rows desc, c.oid
limit 5000
