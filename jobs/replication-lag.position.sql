-- How far has this node come, from whom does it stream, and does anything hold its replay up?
select
  case when not r.is_standby then pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0') end::float8 as written,
  -- At its start a receiver says where the segment begins, which may have been replayed long ago.
  pg_catalog.pg_wal_lsn_diff(
    greatest(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()), '0/0'
  )::float8 as received,
  pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_last_wal_replay_lsn(), '0/0')::float8 as replayed,
  case when r.is_standby then pg_catalog.pg_is_wal_replay_paused() else false end as "isPaused",
  extract(epoch from pg_catalog.current_setting('recovery_min_apply_delay')::interval)::float8 as "delaySeconds",
  extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())::float8
    as "replayAgeSeconds",
  pg_catalog.current_setting('restore_command') <> '' as "hasArchive",
  w.pid is not null as "hasReceiver",
  w.status as "receiverStatus",
  extract(epoch from pg_catalog.clock_timestamp() - w.last_msg_receipt_time)::float8 as "silentSeconds",
  w.slot_name::text as slot,
  coalesce(
    pg_catalog.substring(w.conninfo, '(?:^| )application_name=([^ ]+)'),
    pg_catalog.substring(w.conninfo, '(?:^| )fallback_application_name=([^ ]+)')
  ) as application
from (select pg_catalog.pg_is_in_recovery() as is_standby) r
left join pg_catalog.pg_stat_get_wal_receiver() w on true
limit 1
