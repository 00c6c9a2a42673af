-- What is this standby called where it streams from?
select
  w.slot_name::text as slot,
  coalesce(
    pg_catalog.substring(w.conninfo, '(?:^| )application_name=([^ ]+)'),
    pg_catalog.substring(w.conninfo, '(?:^| )fallback_application_name=([^ ]+)')
  ) as application
from pg_catalog.pg_stat_get_wal_receiver() w
where w.pid is not null
limit 1
