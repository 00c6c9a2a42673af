-- Which sessions have a transaction open, for how long, what does it hold, and who waits for them?
with
  -- pg_blocking_pids stops the lock manager for a moment, so only those who wait are asked about.
  waits as materialized (
    select
      l.pid,
      pg_catalog.pg_blocking_pids(l.pid) as blocked_by,
      -- Before 14 there is no waitstart; in 14 and later it is null for the first milliseconds of a wait.
      pg_catalog.to_jsonb(l) ? 'waitstart' as knows_since,
      (pg_catalog.to_jsonb(l) ->> 'waitstart')::timestamptz as since
    from pg_catalog.pg_locks l
    where not l.granted
      and l.pid is not null
    limit 5000
  ),
  blocked as materialized (
    select b.pid, pg_catalog.count(distinct w.pid)::int as blocks
    from waits w
    cross join lateral pg_catalog.unnest(w.blocked_by) b (pid)
    group by b.pid
  ),
  -- A vacuum's own xmin holds nobody up.
  horizon as materialized (
    select pg_catalog.max(h.age) as age
    from (
      select greatest(pg_catalog.age(a.backend_xid), pg_catalog.age(a.backend_xmin)) as age
      from pg_catalog.pg_stat_activity a
      where a.backend_type is distinct from 'autovacuum worker'
        and not exists (select from pg_catalog.pg_stat_progress_vacuum v where v.pid = a.pid)
      union all
      select greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin))
      from pg_catalog.pg_replication_slots s
      union all
      select pg_catalog.age(p.transaction)
      from pg_catalog.pg_prepared_xacts p
    ) h
  )
select
  a.pid,
  (extract(epoch from a.backend_start) * 1000000)::bigint::text as "backendStart",
  (extract(epoch from t.began) * 1000000)::bigint::text as "xactStart",
  (extract(epoch from a.query_start) * 1000000)::bigint::text as "queryStart",
  a.usename::text as "user",
  a.datname::text as database,
  a.application_name as application,
  pg_catalog.host(a.client_addr) as client,
  a.backend_type as "backendType",
  a.state,
  a.wait_event as "waitEvent",
  a.backend_xid is not null as "holdsXid",
  a.backend_xmin is not null as "holdsXmin",
  greatest(pg_catalog.age(a.backend_xid), pg_catalog.age(a.backend_xmin)) as "xminAgeXids",
  coalesce(greatest(pg_catalog.age(a.backend_xid), pg_catalog.age(a.backend_xmin)) >= h.age, false)
    as "holdsOldestXmin",
  extract(epoch from pg_catalog.clock_timestamp() - t.began)::float8 as "transactionSeconds",
  extract(epoch from pg_catalog.clock_timestamp() - a.query_start)::float8 as "statementSeconds",
  extract(epoch from pg_catalog.clock_timestamp() - a.state_change)::float8 as "stateSeconds",
  case
    when w.knows_since then coalesce(extract(epoch from pg_catalog.clock_timestamp() - w.since), 0)
    when w.pid is not null then extract(epoch from pg_catalog.clock_timestamp() - a.query_start)
    else 0
  end::float8 as "lockWaitSeconds",
  coalesce(b.blocks, 0) as blocks,
  case
    when exists (select from pg_catalog.pg_stat_progress_vacuum p where p.pid = a.pid) then 'vacuum'
    when exists (select from pg_catalog.pg_stat_progress_create_index p where p.pid = a.pid) then 'create index'
    when exists (select from pg_catalog.pg_stat_progress_cluster p where p.pid = a.pid) then 'rewrite'
  end as maintenance,
  nullif(a.query, '<insufficient privilege>') as query
from pg_catalog.pg_stat_activity a
-- A transaction that has failed has no xact_start any more: the moment it failed stands for it.
cross join lateral (
  select case when a.state = 'idle in transaction (aborted)' then a.state_change else a.xact_start end
) t (began)
cross join horizon h
left join waits w on w.pid = a.pid
left join blocked b on b.pid = a.pid
where t.began is not null
  and a.pid <> pg_catalog.pg_backend_pid()
  -- Our other sessions. A parallel worker is part of its leader, and vacuuming is autovacuum's business.
  and not (a.usename = current_user and a.application_name like 'pgorderly/%')
  and a.backend_type not in ('parallel worker', 'autovacuum worker')
order by t.began
limit 1000
