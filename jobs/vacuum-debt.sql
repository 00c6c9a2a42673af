-- Which tables of this database have waited past the threshold of autovacuum, and what keeps it from coming?
with
  tables as materialized (
    select
      c.oid,
      c.reltuples,
      c.relpages,
      o.oid is not null as is_toast,
      coalesce(o.oid, c.oid) as owner_oid,
      coalesce(o.relname, c.relname) as owner_name,
      coalesce(o.relfilenode, c.relfilenode) as owner_file,
      coalesce(o.relnamespace, c.relnamespace) as owner_schema,
      coalesce(o.relkind, c.relkind) as owner_kind,
      -- A TOAST table without options of its own goes by those of its table.
      coalesce(c.reloptions, o.reloptions) as options,
      -- From 18 on; what is frozen already needs no vacuum for its inserts.
      case when s.version >= 180000 then (pg_catalog.to_jsonb(c) ->> 'relallfrozen')::float8 end as all_frozen,
      pg_catalog.pg_stat_get_dead_tuples(c.oid)::float8 as dead,
      pg_catalog.pg_stat_get_tuples_inserted(c.oid)::float8 as ever_inserted
    from pg_catalog.pg_class c
    cross join (select pg_catalog.current_setting('server_version_num')::int) s (version)
    left join pg_catalog.pg_class o on o.reltoastrelid = c.oid
    where c.relkind in ('r', 'm', 't')
      and c.relpersistence <> 't'
      -- Fewer are below any threshold that somebody has set.
      and (pg_catalog.pg_stat_get_dead_tuples(c.oid) > 0 or pg_catalog.pg_stat_get_tuples_inserted(c.oid) > 0)
  ),
  -- Read once, not for each table.
  defaults as materialized (
    select
      pg_catalog.current_setting('autovacuum_vacuum_threshold')::float8 as base,
      pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::float8 as scale,
      coalesce(pg_catalog.current_setting('autovacuum_vacuum_max_threshold', true)::float8, -1) as most,
      coalesce(pg_catalog.current_setting('autovacuum_vacuum_insert_threshold', true)::float8, -1) as insert_base,
      pg_catalog.current_setting('autovacuum_vacuum_insert_scale_factor', true)::float8 as insert_scale
  ),
  settings as (
    select
      t.*,
      coalesce(o.enabled, true) as is_enabled,
      coalesce(o.base, d.base) as base,
      coalesce(o.scale, d.scale) as scale,
      coalesce(o.most, d.most) as most,
      coalesce(o.insert_base, d.insert_base) as insert_base,
      coalesce(o.insert_scale, d.insert_scale) as insert_scale
    from tables t
    cross join defaults d
    cross join lateral (
      select
        pg_catalog.bool_and(p.option_value::bool) filter (where p.option_name = 'autovacuum_enabled') as enabled,
        pg_catalog.max(p.option_value::float8) filter (where p.option_name = 'autovacuum_vacuum_threshold') as base,
        pg_catalog.max(p.option_value::float8) filter (where p.option_name = 'autovacuum_vacuum_scale_factor') as scale,
        pg_catalog.max(p.option_value::float8) filter (where p.option_name = 'autovacuum_vacuum_max_threshold') as most,
        pg_catalog.max(p.option_value::float8) filter (where p.option_name = 'autovacuum_vacuum_insert_threshold')
          as insert_base,
        pg_catalog.max(p.option_value::float8) filter (where p.option_name = 'autovacuum_vacuum_insert_scale_factor')
          as insert_scale
      from pg_catalog.pg_options_to_table(t.options) p
    ) o
  ),
  limits as (
    select
      s.*,
      case
        when s.most >= 0 then least(s.most, s.base + s.scale * greatest(s.reltuples, 0))
        else s.base + s.scale * greatest(s.reltuples, 0)
      end as dead_limit,
      case
        when s.insert_base >= 0
          then s.insert_base + s.insert_scale * greatest(s.reltuples, 0)
            * (1 - coalesce(least(s.all_frozen / nullif(s.relpages, 0), 1), 0))
      end as insert_limit
    from settings s
  ),
  due as materialized (
    select l.*, i.inserted
    from limits l
    cross join lateral (
      select
        case
          when l.ever_inserted >= l.insert_limit then (
            select (pg_catalog.to_jsonb(v) ->> 'n_ins_since_vacuum')::float8
            from pg_catalog.pg_stat_all_tables v
            where v.relid = l.oid
          )
        end
      -- Else it would be asked for wherever it is used.
      offset 0
    ) i (inserted)
    where l.dead >= l.dead_limit
      or i.inserted >= l.insert_limit
    order by greatest(l.dead - l.dead_limit, i.inserted - l.insert_limit) desc
    limit 200
  ),
  -- Who holds back what may be removed in this database.
  holder as (
    select h.what, h.age, h.seconds
    from (
      select
        'pid ' || a.pid as what,
        greatest(pg_catalog.age(a.backend_xid), pg_catalog.age(a.backend_xmin)) as age,
        extract(epoch from pg_catalog.clock_timestamp() - a.xact_start)::float8 as seconds
      from pg_catalog.pg_stat_activity a
      where a.datname = pg_catalog.current_database()
        and a.pid <> pg_catalog.pg_backend_pid()
        and not exists (select from pg_catalog.pg_stat_progress_vacuum v where v.pid = a.pid)
      union all
      select 'standby ' || r.application_name, pg_catalog.age(r.backend_xmin), null
      from pg_catalog.pg_stat_replication r
      union all
      select 'replication slot ' || s.slot_name, pg_catalog.age(s.xmin), null
      from pg_catalog.pg_replication_slots s
      union all
      select
        'prepared transaction ' || p.gid,
        pg_catalog.age(p.transaction),
        extract(epoch from pg_catalog.clock_timestamp() - p.prepared)::float8
      from pg_catalog.pg_prepared_xacts p
      where p.database = pg_catalog.current_database()
    ) h
    where h.age is not null
    order by h.age desc
    limit 1
  )
select
  d.owner_oid as oid,
  n.nspname::text as schema,
  d.owner_name::text as name,
  d.owner_file::text as file,
  -- By hand, whoever did it; of the table whose TOAST table this may be.
  coalesce((extract(epoch from pg_catalog.pg_stat_get_last_vacuum_time(d.owner_oid)) * 1000000)::bigint, 0)::text
    as "vacuumedAt",
  pg_catalog.format('%I.%I', n.nspname, d.owner_name) as table,
  d.is_toast as "isToast",
  d.dead as "deadRows",
  d.dead_limit as "deadLimit",
  d.inserted as "insertedRows",
  d.insert_limit as "insertLimit",
  greatest(d.reltuples, 0)::float8 as "liveRows",
  d.relpages::int8::float8 * pg_catalog.current_setting('block_size')::int as "sizeBytes",
  d.is_enabled as "isEnabled",
  pg_catalog.current_setting('autovacuum') = 'on' and pg_catalog.current_setting('track_counts') = 'on' as "isOn",
  extract(
    epoch from pg_catalog.clock_timestamp() - greatest(
      pg_catalog.pg_stat_get_last_vacuum_time(d.oid),
      pg_catalog.pg_stat_get_last_autovacuum_time(d.oid)
    )
  )::float8 as "vacuumedSecondsAgo",
  exists (select from pg_catalog.pg_stat_progress_vacuum v where v.relid = d.oid) as "isBeingVacuumed",
  (
    select pg_catalog.count(*)::int
    from pg_catalog.pg_stat_activity a
    where a.backend_type = 'autovacuum worker'
  ) as workers,
  pg_catalog.current_setting('autovacuum_max_workers')::int as "maxWorkers",
  h.what as holder,
  h.age as "holderXids",
  h.seconds as "holderSeconds"
from due d
join pg_catalog.pg_namespace n on n.oid = d.owner_schema
left join holder h on true
order by greatest(d.dead - d.dead_limit, d.inserted - d.insert_limit) desc
limit 200
