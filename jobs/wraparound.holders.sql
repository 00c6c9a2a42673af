-- Who keeps the oldest transaction ids from being frozen?
select *
from (
  select
    'session' as kind,
    a.pid::text as name,
    pg_catalog.concat_ws(', ', nullif(a.application_name, ''), 'role ' || a.usename, 'database ' || a.datname) as who,
    greatest(pg_catalog.age(a.backend_xid), pg_catalog.age(a.backend_xmin)) as "ageXids"
  from pg_catalog.pg_stat_activity a
  where a.backend_type is distinct from 'walsender'
    and a.pid <> pg_catalog.pg_backend_pid()
    -- A vacuum's own xmin holds nobody up.
    and not exists (select from pg_catalog.pg_stat_progress_vacuum v where v.pid = a.pid)
  union all
  select 'standby', r.application_name, pg_catalog.host(r.client_addr), pg_catalog.age(r.backend_xmin)
  from pg_catalog.pg_stat_replication r
  union all
  select 'slot', s.slot_name::text, s.slot_type, greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin))
  from pg_catalog.pg_replication_slots s
  union all
  select 'prepared', p.gid, 'role ' || p.owner || ', database ' || p.database, pg_catalog.age(p.transaction)
  from pg_catalog.pg_prepared_xacts p
) h
where h."ageXids" is not null
order by h."ageXids" desc
limit 3
