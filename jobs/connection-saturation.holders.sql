-- Which applications hold the most connections, and for how long have theirs been idle?
select
  a.application_name as application,
  a.usename::text as role,
  a.datname::text as database,
  pg_catalog.count(*)::int as used,
  (pg_catalog.count(*) filter (where a.state = 'idle'))::int as idle,
  pg_catalog.max(extract(epoch from pg_catalog.clock_timestamp() - a.state_change))
    filter (where a.state = 'idle')::float8 as "longestIdleSeconds"
from pg_catalog.pg_stat_activity a
where a.backend_type = 'client backend'
group by a.application_name, a.usename, a.datname
order by used desc, application, role, database
limit 500
