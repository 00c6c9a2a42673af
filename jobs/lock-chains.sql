-- Who waits for a heavyweight lock, for whom and since when, and what do they and those who block them do and hold?
with
  -- The modes in the order of table 13.2 of the manual, and for each, as bits, those that conflict with it.
  modes as (
    select
      array['AccessShareLock', 'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock',
        'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'] as names,
      array[128, 192, 240, 248, 236, 252, 254, 255] as conflicts
  ),
  -- Before 14 pg_locks has no waitstart: the name then means the outer one. In 14 and later it is null for a moment.
  locks as materialized (
    select l.*
    from (values ('-infinity'::timestamptz)) before_14 (waitstart)
    cross join lateral (
      select
        k.pid, k.locktype, k.mode, k.granted, k.database, k.relation, k.page, k.tuple, k.virtualxid, k.transactionid,
        k.classid, k.objid, k.objsubid, k.virtualtransaction, waitstart,
        k.locktype || coalesce(k.relation::text, k.transactionid::text, k.virtualxid, k.objid::text, '') as gist
      from pg_catalog.pg_locks k
      where k.mode <> 'SIReadLock'
    ) l
  ),
  waits as materialized (
    select
      l.pid, l.locktype, l.mode, l.database, l.relation, l.classid, l.objid, l.objsubid,
      l.waitstart as since,
      l.waitstart is distinct from '-infinity' as is_since_known
    from locks l
    where not l.granted
      and l.pid is not null
    limit 5000
  ),
  -- pg_blocking_pids stops the lock manager for a moment for each who waits; who holds what is one look for all.
  queues as materialized (
    select
      pg_catalog.row_number() over () as queue,
      l.locktype,
      pg_catalog.array_agg(l.pid) as pids,
      pg_catalog.array_agg(pg_catalog.array_position(m.names, l.mode)) as ranks,
      pg_catalog.array_agg(l.granted) as granted,
      pg_catalog.array_agg(l.virtualtransaction) as transactions,
      pg_catalog.bit_or(m.conflicts[pg_catalog.array_position(m.names, l.mode)]) filter (where not l.granted) as unwanted
    from locks l
    cross join modes m
    -- Most locks are nobody's trouble, so they are not grouped.
    where l.gist in (select w.gist from locks w where not w.granted)
    group by l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid,
      l.objsubid
    having pg_catalog.bool_or(not l.granted)
  ),
  -- Who waits in a queue, and who is in the way of somebody there. A prepared transaction has no pid.
  members as materialized (
    select
      coalesce(u.pid, 0) as pid,
      pg_catalog.bool_or(q.locktype in ('transactionid', 'spectoken')) as is_of_row,
      pg_catalog.json_agg(pg_catalog.json_build_array(
        q.queue,
        u.rank - 1,
        u.granted,
        case when u.pid is null then u.transaction end
      )) as places
    from queues q
    cross join lateral rows from (
      pg_catalog.unnest(q.pids), pg_catalog.unnest(q.ranks), pg_catalog.unnest(q.granted),
      pg_catalog.unnest(q.transactions)
    ) u (pid, rank, granted, transaction)
    where not u.granted
      or (1 << (u.rank - 1)) & q.unwanted <> 0
    group by coalesce(u.pid, 0)
  ),
  -- Which tables a row lock may be about: the row's own lock says it, else what its two transactions have both written.
  held as (
    select
      l.pid,
      pg_catalog.max(l.relation) filter (where l.locktype = 'tuple') as row_of,
      pg_catalog.array_agg(distinct l.relation order by l.relation) filter (
        where l.locktype = 'relation'
          and l.granted
          and l.relation >= 16384
          and l.mode <> 'AccessShareLock'
      ) as writes
    from locks l
    where l.pid in (select m.pid from members m where m.is_of_row)
    group by l.pid
  ),
  -- Of those who share a row, a waiter's lock shows one: whoever else locks rows of that table may be another.
  row_lockers as materialized (
    select
      l.database,
      l.relation,
      pg_catalog.count(distinct l.virtualtransaction)::int as row_lockers
    from locks l
    where l.locktype = 'relation'
      and l.mode in ('RowShareLock', 'RowExclusiveLock')
      and l.granted
      and l.relation in (select k.relation from locks k where k.locktype = 'tuple')
      and coalesce(l.pid, 0) not in (select w.pid from waits w)
    group by l.database, l.relation
    having pg_catalog.bool_or(l.mode = 'RowShareLock')
  ),
  activity as materialized (
    select
      a.*,
      -- Before 13 there is no leader_pid, but a worker carries its leader's transaction start.
      case when a.backend_type is distinct from 'client backend' then
        coalesce(
          (pg_catalog.to_jsonb(a) ->> 'leader_pid')::int,
          (
            select c.pid
            from pg_catalog.pg_stat_activity c
            where a.backend_type = 'parallel worker'
              and c.backend_type = 'client backend'
              and c.datid = a.datid
              and c.xact_start = a.xact_start
            limit 1
          )
        )
      end as leader
    from pg_catalog.pg_stat_activity a
  ),
  involved as (
    select m.pid from members m
    union
    select a.leader from activity a join members m on m.pid = a.pid
  )
select
  i.pid,
  a.leader as "leaderPid",
  (extract(epoch from a.backend_start) * 1000000)::bigint::text as "backendStart",
  (extract(epoch from a.xact_start) * 1000000)::bigint::text as "xactStart",
  (extract(epoch from a.query_start) * 1000000)::bigint::text as "queryStart",
  a.usename::text as "user",
  a.datname::text as database,
  a.datid as "databaseOid",
  a.application_name as application,
  pg_catalog.host(a.client_addr) as client,
  a.backend_type as "backendType",
  a.state,
  a.wait_event as "waitEvent",
  extract(epoch from pg_catalog.clock_timestamp() - a.xact_start)::float8 as "transactionSeconds",
  extract(epoch from pg_catalog.clock_timestamp() - a.query_start)::float8 as "statementSeconds",
  extract(epoch from pg_catalog.clock_timestamp() - a.state_change)::float8 as "stateSeconds",
  a.backend_type = 'autovacuum worker' and a.query like '%(to prevent wraparound)' as "preventsWraparound",
  h.row_of as "rowOf",
  h.writes,
  r.row_lockers as "rowLockers",
  m.places,
  w.locktype as "lockType",
  w.mode,
  w.database as "lockDatabaseOid",
  w.relation as "relationOid",
  w.classid::bigint::text || '/' || w.objid::bigint::text || '/' || w.objsubid::text as "objectKey",
  -- Names can be read only of what is in the database we are connected to, or shared.
  coalesce(w.database, a.datid) in (0, own.datid) is true as "isNameable",
  case
    when w.pid is null then null
    when w.is_since_known then coalesce(extract(epoch from pg_catalog.clock_timestamp() - w.since), 0)
    else extract(epoch from pg_catalog.clock_timestamp() - a.query_start)
  end::float8 as "waitSeconds",
  case when w.is_since_known is false then 'query_start' else 'waitstart' end as "waitSource",
  pg_catalog.current_setting('max_connections')::int as "maxConnections",
  nullif(a.query, '<insufficient privilege>') as query
from involved i
left join activity a on a.pid = i.pid
join activity own on own.pid = pg_catalog.pg_backend_pid()
left join members m on m.pid = i.pid
left join waits w on w.pid = i.pid
left join held h on h.pid = i.pid
left join row_lockers r on r.relation = h.row_of and r.database = a.datid
-- Until 18 who is still logging in is in pg_locks only.
where a.pid is not null
  or w.pid is not null
  or i.pid = 0
limit 10000
