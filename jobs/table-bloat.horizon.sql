-- Who holds the oldest xmin, so that vacuum cannot remove what was deleted since?
select h.kind, h.who, h.xids, h.seconds
from (
  select
    'session' as kind,
    pg_catalog.format('pid %s', a.pid) as who,
    greatest(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid)) as xids,
    extract(epoch from pg_catalog.clock_timestamp() - a.xact_start)::float8 as seconds
  from pg_catalog.pg_stat_activity a
  where a.backend_type is distinct from 'walsender'
    and a.pid <> pg_catalog.pg_backend_pid()
    -- A vacuum's own xmin holds nobody up.
    and not exists (select from pg_catalog.pg_stat_progress_vacuum v where v.pid = a.pid)
  union all
  select
    'standby',
    r.application_name,
    pg_catalog.age(r.backend_xmin),
    null
  from pg_catalog.pg_stat_replication r
  union all
  select
    'replication slot',
    s.slot_name,
    greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin)),
    null
  from pg_catalog.pg_replication_slots s
  where s.xmin is not null
  union all
  select
    'prepared transaction',
    p.gid,
    pg_catalog.age(p.transaction),
    extract(epoch from pg_catalog.clock_timestamp() - p.prepared)::float8
  from pg_catalog.pg_prepared_xacts p
) h
where h.xids > 0
order by h.xids desc
limit 1
