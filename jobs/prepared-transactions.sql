-- Which transactions are prepared and not ended, what do they lock, and who waits for them?
with
  locks as materialized (
    select l.locktype, l.database, l.relation, l.transactionid, l.virtualtransaction, l.mode
    from pg_catalog.pg_locks l
    where l.pid is null
      and l.granted
  ),
  -- A prepared transaction is 0 among the blockers, whichever it is: what is waited for tells which.
  waiters as materialized (
    select l.pid, l.locktype, l.database, l.relation, l.transactionid
    from pg_catalog.pg_locks l
    where not l.granted
      and l.pid is not null
      and exists (select from locks)
      and 0 = any (pg_catalog.pg_blocking_pids(l.pid))
    limit 5000
  ),
  horizon as materialized (
    select pg_catalog.max(h.age) as age
    from (
      select greatest(pg_catalog.age(a.backend_xid), pg_catalog.age(a.backend_xmin)) as age
      from pg_catalog.pg_stat_activity a
      where not exists (select from pg_catalog.pg_stat_progress_vacuum v where v.pid = a.pid)
      union all
      select greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin))
      from pg_catalog.pg_replication_slots s
      union all
      select pg_catalog.age(p.transaction)
      from pg_catalog.pg_prepared_xacts p
    ) h
  )
select
  p.gid,
  p.owner::text as owner,
  p.database::text as database,
  extract(epoch from pg_catalog.clock_timestamp() - p.prepared)::float8 as "preparedSeconds",
  pg_catalog.age(p.transaction) as "ageXids",
  pg_catalog.age(p.transaction) >= h.age as "holdsOldestXmin",
  t.relations,
  t.modes,
  (
    select pg_catalog.count(distinct w.pid)::int
    from waiters w
    where w.transactionid = p.transaction
      or exists (
        select
        from locks l
        where l.virtualtransaction = x.virtualtransaction
          and l.locktype = w.locktype
          and l.database = w.database
          and l.relation = w.relation
      )
  ) as blocks
from pg_catalog.pg_prepared_xacts p
cross join horizon h
-- Its locks have no pid; its xid's lock says which virtual transaction is its own.
left join locks x
  on x.locktype = 'transactionid'
  and x.transactionid = p.transaction
cross join lateral (
  select
    pg_catalog.count(distinct l.relation)::int as relations,
    coalesce(pg_catalog.array_agg(distinct l.mode) filter (where l.relation is not null), '{}') as modes
  from locks l
  where l.virtualtransaction = x.virtualtransaction
) t
order by p.prepared
limit 1000
