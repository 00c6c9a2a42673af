-- Whom does each of these sessions wait for, those ahead of it in a queue among them?
select
  p.pid,
  pg_catalog.pg_blocking_pids(p.pid) as "blockedBy"
from pg_catalog.unnest($1::int[]) p (pid)
limit 5000
