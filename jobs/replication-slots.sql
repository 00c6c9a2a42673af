-- Which replication slots are there, how much WAL does each keep, and how much may it?
select
  s.slot_name::text as name,
  s.slot_type as type,
  s.active as "isActive",
  -- Columns that came with 13, 16, 17: null before.
  pg_catalog.to_jsonb(s) ->> 'wal_status' as "walStatus",
  (pg_catalog.to_jsonb(s) ->> 'safe_wal_size')::float8 as "safeBytes",
  coalesce((pg_catalog.to_jsonb(s) ->> 'conflicting')::boolean, false) as "isConflicting",
  pg_catalog.to_jsonb(s) ->> 'invalidation_reason' as "invalidationReason",
  extract(epoch from pg_catalog.clock_timestamp() - (pg_catalog.to_jsonb(s) ->> 'inactive_since')::timestamptz)::float8
    as "inactiveSeconds",
  greatest(
    pg_catalog.pg_wal_lsn_diff(
      -- Where there is no slot it is not asked for: Aurora refuses that without wal_level = logical.
      (
        select case
          when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()
          else pg_catalog.pg_current_wal_lsn()
        end
      ),
      s.restart_lsn
    ),
    0
  )::float8 as "retainedBytes",
  -- Of the slots of a node altogether; -1 is without a limit, null is before 13.
  case pg_catalog.current_setting('max_slot_wal_keep_size', true)
    when '-1' then null
    else pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_slot_wal_keep_size', true))
  end::float8 as "keepBytes"
-- Not the view over it, which reads pg_database: it may be what is locked.
from pg_catalog.pg_get_replication_slots() s
order by s.slot_name
limit 1000
