-- Which subscriptions has this database, does each one's worker run, and which of their tables are not ready?
with
  -- What connects to the publisher may hold a password, and is hidden from most roles; before 14 the oid is too.
  own as (
    select s.subname, s.subenabled, s.subslotname, s.subpublications
    from pg_catalog.pg_subscription s
    where s.subdbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    order by s.subname
    limit 1000
  ),
  ids as (
    select distinct w.subid, w.subname
    from pg_catalog.pg_stat_subscription w
  ),
  -- Only the one that applies: not those that copy a table or help it in parallel.
  workers as (
    select w.subid, w.pid, w.last_msg_receipt_time
    from pg_catalog.pg_stat_subscription w
    where w.pid is not null
      and w.relid is null
      and pg_catalog.to_jsonb(w) ->> 'leader_pid' is null
  ),
  -- Another database may have one of the same name: tables and workers tell which is whose.
  identified as (
    select
      d.subname,
      d.subid,
      w.pid,
      w.last_msg_receipt_time,
      pg_catalog.count(*) over (partition by d.subname) as namesakes,
      exists (select from pg_catalog.pg_subscription_rel r where r.srsubid = d.subid)
        or coalesce(a.datname = pg_catalog.current_database(), false) as is_here
    from ids d
    left join workers w on w.subid = d.subid
    left join pg_catalog.pg_stat_get_activity(w.pid) g on w.pid is not null
    left join pg_catalog.pg_database a on a.oid = g.datid
  )
select
  o.subname::text as name,
  o.subenabled as "isEnabled",
  o.subslotname::text as slot,
  o.subpublications as publications,
  i.subid is not null as "isIdentified",
  i.pid,
  extract(epoch from pg_catalog.clock_timestamp() - i.last_msg_receipt_time)::float8 as "silentSeconds",
  (select pg_catalog.count(*)::int from pg_catalog.pg_subscription_rel r where r.srsubid = i.subid) as "tableCount",
  (
    select pg_catalog.count(*)::int
    from pg_catalog.pg_subscription_rel r
    where r.srsubid = i.subid and r.srsubstate <> 'r'
  ) as "notReadyCount",
  (
    select coalesce(pg_catalog.json_object_agg(t.name, t.state), '{}')
    from (
      select pg_catalog.format('%I.%I', n.nspname, c.relname) as name, r.srsubstate as state
      from pg_catalog.pg_subscription_rel r
      join pg_catalog.pg_class c on c.oid = r.srrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where r.srsubid = i.subid and r.srsubstate <> 'r'
      order by r.srrelid
      limit 200
    ) t
  ) as "notReady",
  (select pg_catalog.count(*)::int from pg_catalog.pg_stat_get_subscription(null) w where w.pid is not null) as running,
  pg_catalog.current_setting('max_logical_replication_workers')::int as "maxWorkers",
  -- From 15 on.
  pg_catalog.to_regclass('pg_catalog.pg_stat_subscription_stats') is not null as "countsErrors"
from own o
left join identified i on i.subname = o.subname and (i.namesakes = 1 or i.is_here)
order by o.subname
limit 1000
