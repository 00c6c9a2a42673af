-- Who waits for a heavyweight lock, for whom and since when, and what do they and those who block them do and hold?
with
  locks as materialized (
    select *
    from pg_catalog.pg_locks
    where mode <> 'SIReadLock'
  ),
  -- pg_blocking_pids stops the lock manager for a moment, so only those who wait are asked about.
  waits as materialized (
    select
      l.pid, l.locktype, l.mode, l.database, l.relation, l.classid, l.objid, l.objsubid,
      pg_catalog.pg_blocking_pids(l.pid) as blocked_by,
      -- Before 14 there is no waitstart; in 14 and later it is null for the first milliseconds of a wait.
      pg_catalog.to_jsonb(l) ? 'waitstart' as knows_since,
      (pg_catalog.to_jsonb(l) ->> 'waitstart')::timestamptz as since
    from locks l
    where not l.granted
      and l.pid is not null
    limit 5000
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
    where l.pid is not null
    group by l.pid
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
    select w.pid from waits w
    union
    select b.pid from waits w cross join lateral pg_catalog.unnest(w.blocked_by) b (pid)
    union
    select a.leader from activity a join waits w on w.pid = a.pid
  )
select
  a.pid,
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
  w.blocked_by as "blockedBy",
  w.locktype as "lockType",
  w.mode,
  w.database as "lockDatabaseOid",
  w.relation as "relationOid",
  w.classid::bigint::text || '/' || w.objid::bigint::text || '/' || w.objsubid::text as "objectKey",
  -- Names can be read only of what is in the database we are connected to, or shared.
  coalesce(w.database, a.datid) in (0, own.datid) as "isNameable",
  case
    when w.pid is null then null
    when w.knows_since then coalesce(extract(epoch from pg_catalog.clock_timestamp() - w.since), 0)
    else extract(epoch from pg_catalog.clock_timestamp() - a.query_start)
  end::float8 as "waitSeconds",
  case when w.knows_since then 'waitstart' else 'query_start' end as "waitSource",
  pg_catalog.current_setting('max_connections')::int as "maxConnections",
  nullif(a.query, '<insufficient privilege>') as query
from activity a
join activity own on own.pid = pg_catalog.pg_backend_pid()
left join waits w on w.pid = a.pid
left join held h on h.pid = a.pid
where a.pid in (select i.pid from involved i)
limit 10000
