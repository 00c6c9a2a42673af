-- Who holds the xmin horizon back, the oldest first, and how many rows were changed meanwhile?
with
  holders as materialized (
    select *
    from (
      select
        'session' as kind,
        null::text as name,
        a.pid,
        greatest(pg_catalog.age(a.backend_xid), pg_catalog.age(a.backend_xmin)) as age,
        case
          when a.backend_xid is null or pg_catalog.age(a.backend_xmin) > pg_catalog.age(a.backend_xid) then a.backend_xmin
          else a.backend_xid
        end as held,
        null::float8 as seconds,
        null::text as owner,
        null::text as prepared_in
      from pg_catalog.pg_stat_activity a
      where a.backend_type is distinct from 'walsender'
        -- A parallel worker is part of its leader; a vacuum's own xmin holds nobody up.
        and a.backend_type is distinct from 'parallel worker'
        and not exists (select from pg_catalog.pg_stat_progress_vacuum v where v.pid = a.pid)
        and a.pid <> pg_catalog.pg_backend_pid()
        and not (a.usename = current_user and a.application_name like 'pgorderly/%')
      union all
      -- What a standby's sessions need, if it has hot_standby_feedback on and no slot.
      select 'standby', r.application_name, r.pid, pg_catalog.age(r.backend_xmin), r.backend_xmin, null, null, null
      from pg_catalog.pg_stat_replication r
      union all
      select
        case when s.xmin is null then 'catalog slot' else 'slot' end,
        s.slot_name::text,
        s.active_pid,
        greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin)),
        case
          when s.xmin is null or pg_catalog.age(s.catalog_xmin) > pg_catalog.age(s.xmin) then s.catalog_xmin
          else s.xmin
        end,
        -- A slot that nobody uses moves nothing on. Before 17 it is not known since when.
        extract(
          epoch from pg_catalog.clock_timestamp() - (pg_catalog.to_jsonb(s) ->> 'inactive_since')::timestamptz
        )::float8,
        null,
        null
      from pg_catalog.pg_replication_slots s
      union all
      select
        'prepared',
        p.gid,
        null,
        pg_catalog.age(p.transaction),
        p.transaction,
        extract(epoch from pg_catalog.clock_timestamp() - p.prepared)::float8,
        p.owner::text,
        p.database::text
      from pg_catalog.pg_prepared_xacts p
    ) h
    where h.age is not null
    order by h.age desc
    limit 20
  )
select
  -- Read off a snapshot: asking for the current transaction id would use one up.
  pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())::float8 as "nextXid",
  pg_catalog.current_setting('autovacuum_freeze_max_age')::int as "freezeMaxAge",
  c.rows as "changedRows",
  h.kind,
  h.name,
  h.age as "ageXids",
  -- By which a standby's session is known on its primary.
  h.held::text as held,
  h.seconds as "knownSeconds",
  h.owner,
  h.prepared_in as "preparedIn",
  -- The standby that uses the slot.
  case when h.kind like '%slot' then a.application_name end as "usedBy",
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
  extract(epoch from pg_catalog.clock_timestamp() - t.began)::float8 as "transactionSeconds",
  extract(epoch from pg_catalog.clock_timestamp() - a.query_start)::float8 as "statementSeconds",
  extract(epoch from pg_catalog.clock_timestamp() - a.state_change)::float8 as "stateSeconds",
  nullif(a.query, '<insufficient privilege>') as query
from (
  -- Of all databases, and without asking for any table: each leaves a dead row version behind.
  select pg_catalog.sum(s.tup_updated + s.tup_deleted)::float8
  from pg_catalog.pg_stat_database s
) c (rows)
left join holders h on true
left join pg_catalog.pg_stat_activity a on a.pid = h.pid
-- A transaction that has failed has no xact_start any more: the moment it failed stands for it.
cross join lateral (
  select case when a.state = 'idle in transaction (aborted)' then a.state_change else a.xact_start end
) t (began)
order by h.age desc nulls last
limit 20
