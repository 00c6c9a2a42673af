-- Who receives WAL from this node, and how far is each?
select
  a.application_name as application,
  pg_catalog.host(a.client_addr) as client,
  s.state,
  slot.slot_name::text as slot,
  coalesce(slot.slot_type = 'logical', false) as "isLogical",
  pg_catalog.pg_wal_lsn_diff(s.sent_lsn, '0/0')::float8 as sent,
  pg_catalog.pg_wal_lsn_diff(s.flush_lsn, '0/0')::float8 as flushed,
  pg_catalog.pg_wal_lsn_diff(s.replay_lsn, '0/0')::float8 as replayed,
  extract(epoch from s.replay_lag)::float8 as "replayLagSeconds"
-- Not the views over these, which read pg_authid and pg_database: one of them may be what is locked.
from pg_catalog.pg_stat_get_wal_senders() s
left join pg_catalog.pg_stat_get_activity(null) a on a.pid = s.pid
left join pg_catalog.pg_get_replication_slots() slot on slot.active_pid = s.pid
where s.state is distinct from 'backup'
order by s.pid
limit 1000
