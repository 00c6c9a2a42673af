-- Which heavyweight locks are waited for, by whom and since when, and who holds them?
with
  -- The modes in the order of table 13.2 of the manual.
  modes as (
    select array['AccessShareLock', 'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',
      'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'] as names
  ),
  -- Before 14 pg_locks has no waitstart: the name then means the outer one. In 14 and later it is null for a moment.
  locks as materialized (
    select l.*
    from (values ('-infinity'::timestamptz)) before_14 (waitstart)
    cross join lateral (
      select
        k.pid, k.locktype, k.mode, k.granted, k.database, k.relation, k.page, k.tuple, k.virtualxid, k.transactionid,
        k.classid, k.objid, k.objsubid, k.virtualtransaction, waitstart
      from pg_catalog.pg_locks k
      where k.mode <> 'SIReadLock'
        -- By these the workers of one subscription only take turns.
        and k.locktype <> 'applytransaction'
    ) l
  ),
  -- Most locks are nobody's trouble: about these alone are worth the grouping.
  contended as materialized (
    select l.*
    from locks l
    where (l.locktype, coalesce(l.relation, l.objid, 0), coalesce(l.transactionid::text, l.virtualxid, '')) in (
      select w.locktype, coalesce(w.relation, w.objid, 0), coalesce(w.transactionid::text, w.virtualxid, '')
      from locks w
      where not w.granted
    )
  ),
  -- Which tables a row lock may be about: the row's own lock says it, else what its two transactions have both written.
  held as (
    select
      l.pid,
      pg_catalog.max(l.relation::bigint) filter (where l.locktype = 'tuple') as row_of,
      pg_catalog.json_agg(l.relation::bigint) filter (
        where l.locktype = 'relation'
          and l.granted
          and l.relation >= 16384
          and l.mode <> 'AccessShareLock'
      ) as writes
    from locks l
    where l.pid in (select c.pid from contended c where c.locktype in ('transactionid', 'spectoken'))
    group by l.pid
  ),
  -- Of those who share a row, a waiter's lock shows one: whoever else locks rows of that table may be another.
  row_lockers as (
    select
      l.database,
      l.relation,
      pg_catalog.count(distinct l.virtualtransaction)::int as row_lockers
    from locks l
    where l.locktype = 'relation'
      and l.mode in ('RowShareLock', 'RowExclusiveLock')
      and l.granted
      and l.relation in (select h.row_of from held h)
      and coalesce(l.pid, 0) not in (select w.pid from contended w where not w.granted)
    group by l.database, l.relation
    having pg_catalog.bool_or(l.mode = 'RowShareLock')
  ),
  -- Not pg_stat_activity, which reads pg_authid and pg_database: one of them may be what is locked.
  activity as materialized (
    select
      a.pid, a.datid, a.backend_type, a.xact_start, a.query_start,
      -- From 16 on a subscription's workers have one too, but lock each for itself.
      case a.backend_type when 'parallel worker' then (pg_catalog.to_jsonb(a) ->> 'leader_pid')::int end as leader
    from pg_catalog.pg_stat_get_activity(null) a
  ),
  workers as (
    select
      a.pid,
      -- Before 13 there is no leader_pid, but a worker carries its leader's transaction start.
      coalesce(a.leader, (
        select c.pid
        from activity c
        where c.backend_type = 'client backend'
          and c.datid = a.datid
          and c.xact_start = a.xact_start
        limit 1
      )) as leader
    from activity a
    where a.backend_type = 'parallel worker'
  )
select
  c.locktype as "lockType",
  c.database as "lockDatabaseOid",
  c.relation as "relationOid",
  c.classid::bigint::text || '/' || c.objid::bigint::text || '/' || c.objsubid::text as "objectKey",
  case when pg_catalog.bool_or(c.waitstart = '-infinity') then 'query_start' else 'waitstart' end as "waitSource",
  (select o.datid from activity o where o.pid = pg_catalog.pg_backend_pid()) as "ownDatabaseOid",
  pg_catalog.current_setting('max_connections')::int as "maxConnections",
  -- From here on one element for each lock granted and each place in the queue. A prepared transaction has no pid.
  pg_catalog.array_to_json(pg_catalog.array_agg(c.pid)) as pids,
  pg_catalog.array_to_json(pg_catalog.array_agg(w.leader)) as leaders,
  pg_catalog.array_to_json(pg_catalog.array_agg(case when c.pid is null then c.virtualtransaction end)) as transactions,
  pg_catalog.array_to_json(pg_catalog.array_agg(pg_catalog.array_position(m.names, c.mode) - 1)) as modes,
  pg_catalog.array_to_json(pg_catalog.array_agg(c.granted)) as granted,
  pg_catalog.array_to_json(pg_catalog.array_agg(a.datid::bigint)) as databases,
  pg_catalog.array_to_json(pg_catalog.array_agg((pg_catalog.date_part('epoch', a.query_start) * 1000000)::bigint))
    as "queryStarts",
  pg_catalog.array_to_json(pg_catalog.array_agg(pg_catalog.date_part('epoch', pg_catalog.now() - case
    when c.granted then null
    when c.waitstart = '-infinity' then a.query_start
    else coalesce(c.waitstart, pg_catalog.now())
  end))) as "waitSeconds",
  pg_catalog.array_to_json(pg_catalog.array_agg(h.row_of)) as "rowOf",
  pg_catalog.array_to_json(pg_catalog.array_agg(r.row_lockers)) as "rowLockers",
  pg_catalog.json_agg(h.writes) as writes
from contended c
cross join modes m
left join activity a on a.pid = c.pid
left join workers w on w.pid = c.pid
left join held h on h.pid = c.pid
left join row_lockers r on r.relation = h.row_of and r.database = a.datid
group by c.locktype, c.database, c.relation, c.page, c.tuple, c.virtualxid, c.transactionid, c.classid, c.objid,
  c.objsubid
having pg_catalog.bool_or(not c.granted and c.pid is not null)
limit 5000
