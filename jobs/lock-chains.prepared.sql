-- Which prepared transaction does each waiting session wait for, where pg_locks shows nothing but its virtual transaction?
with
  locks as materialized (
    select *
    from pg_catalog.pg_locks
    where mode <> 'SIReadLock'
  ),
  -- Table 13.2 of the manual.
  conflicts (held, wanted) as (
    values
      ('AccessShareLock', array['AccessExclusiveLock']),
      ('RowShareLock', array['ExclusiveLock', 'AccessExclusiveLock']),
      ('RowExclusiveLock', array['ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock']),
      ('ShareUpdateExclusiveLock', array['ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
        'ExclusiveLock', 'AccessExclusiveLock']),
      ('ShareLock', array['RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
        'AccessExclusiveLock']),
      ('ShareRowExclusiveLock', array['RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',
        'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock']),
      ('ExclusiveLock', array['RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',
        'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock']),
      ('AccessExclusiveLock', array['AccessShareLock', 'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock',
        'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'])
  ),
  -- A prepared transaction's locks have no pid; its xid's lock says which virtual transaction is its own.
  prepared as materialized (
    select p.gid, p.owner, p.database as in_database, p.prepared, l.*
    from pg_catalog.pg_prepared_xacts p
    join locks x
      on x.locktype = 'transactionid'
      and x.transactionid = p.transaction
      and x.granted
      and x.pid is null
    join locks l
      on l.virtualtransaction = x.virtualtransaction
      and l.pid is null
  )
select distinct
  w.pid,
  p.gid,
  p.virtualtransaction as "virtualTransaction",
  p.owner::text as owner,
  p.in_database::text as database,
  extract(epoch from pg_catalog.clock_timestamp() - p.prepared)::float8 as "preparedSeconds",
  (
    select pg_catalog.array_agg(distinct o.relation order by o.relation)
    from prepared o
    where o.gid = p.gid
      and o.relation >= 16384
      and o.mode <> 'AccessShareLock'
  ) as writes
from locks w
join prepared p
  on (w.locktype, w.database, w.relation, w.page, w.tuple, w.transactionid, w.classid, w.objid, w.objsubid)
    is not distinct from
    (p.locktype, p.database, p.relation, p.page, p.tuple, p.transactionid, p.classid, p.objid, p.objsubid)
join conflicts c
  on c.held = p.mode
  and w.mode = any (c.wanted)
where not w.granted
  and w.pid is not null
limit 5000
