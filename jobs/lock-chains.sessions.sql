-- What do these sessions do?
select
  a.pid,
  (extract(epoch from a.backend_start) * 1000000)::bigint::text as "backendStart",
  (extract(epoch from a.xact_start) * 1000000)::bigint::text as "xactStart",
  (extract(epoch from a.query_start) * 1000000)::bigint::text as "queryStart",
  a.usesysid as "userOid",
  a.application_name as application,
  pg_catalog.host(a.client_addr) as client,
  a.backend_type as "backendType",
  a.state,
  a.wait_event as "waitEvent",
  extract(epoch from pg_catalog.clock_timestamp() - a.xact_start)::float8 as "transactionSeconds",
  extract(epoch from pg_catalog.clock_timestamp() - a.query_start)::float8 as "statementSeconds",
  extract(epoch from pg_catalog.clock_timestamp() - a.state_change)::float8 as "stateSeconds",
  a.backend_type = 'autovacuum worker' and a.query like '%(to prevent wraparound)' as "preventsWraparound",
  nullif(a.query, '<insufficient privilege>') as query
-- Not pg_stat_activity, which reads pg_authid and pg_database: one of them may be what is locked.
from pg_catalog.pg_stat_get_activity(null) a
where a.pid = any ($1::int[])
limit 1000
