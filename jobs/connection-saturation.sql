-- How many of the connections that the server, each role and each database allow are taken, and are they idle?
with
  -- Since PostgreSQL 12 walsenders have slots of their own; background workers always had.
  clients as materialized (
    select a.usesysid, a.datid, a.state
    from pg_catalog.pg_stat_activity a
    where a.backend_type = 'client backend'
  ),
  limits (kind, name, role_oid, database_oid, connections) as (
    select
      'server',
      null::text,
      null::oid,
      null::oid,
      -- What is kept for superusers, and from 16 on for members of pg_use_reserved_connections, nobody else gets.
      pg_catalog.current_setting('max_connections')::int
        - pg_catalog.current_setting('superuser_reserved_connections')::int
        - coalesce(pg_catalog.current_setting('reserved_connections', true)::int, 0)
    union all
    -- A superuser is not held to a limit.
    select 'role', r.rolname::text, r.oid, null, r.rolconnlimit
    from pg_catalog.pg_roles r
    where r.rolconnlimit > 0
      and r.rolcanlogin
      and not r.rolsuper
    union all
    select 'database', d.datname::text, null, d.oid, d.datconnlimit
    from pg_catalog.pg_database d
    where d.datconnlimit > 0
      and d.datallowconn
  )
select
  l.kind,
  l.name,
  l.connections as "limit",
  c.used,
  c.idle,
  c.idle_in_transaction as "idleInTransaction",
  pg_catalog.current_setting('max_connections')::int as "maxConnections"
from limits l
cross join lateral (
  select
    pg_catalog.count(*)::int as used,
    (pg_catalog.count(*) filter (where c.state = 'idle'))::int as idle,
    (pg_catalog.count(*) filter (where c.state like 'idle in transaction%'))::int as idle_in_transaction
  from clients c
  where (l.role_oid is null or c.usesysid = l.role_oid)
    and (l.database_oid is null or c.datid = l.database_oid)
) c
order by l.kind = 'server' desc, c.used::float8 / greatest(l.connections, 1) desc
limit 1000
