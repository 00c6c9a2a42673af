-- Which prepared transactions are there, and under which virtual transaction does pg_locks show what they hold?
with
  locks as materialized (
    select *
    from pg_catalog.pg_locks
    where pid is null
  )
select
  p.gid,
  p.owner::text as owner,
  p.database::text as database,
  x.virtualtransaction as "virtualTransaction",
  extract(epoch from pg_catalog.clock_timestamp() - p.prepared)::float8 as "preparedSeconds",
  (
    select pg_catalog.array_agg(distinct l.relation order by l.relation)
    from locks l
    where l.virtualtransaction = x.virtualtransaction
      and l.locktype = 'relation'
      and l.relation >= 16384
      and l.mode <> 'AccessShareLock'
  ) as writes
from pg_catalog.pg_prepared_xacts p
-- Its locks have no pid; its xid's lock says which virtual transaction is its own.
join locks x
  on x.locktype = 'transactionid'
  and x.transactionid = p.transaction
  and x.granted
limit 1000
