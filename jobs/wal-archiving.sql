-- Is WAL to be archived here, and when did that last succeed and fail?
select
  pg_catalog.current_setting('archive_mode') as mode,
  pg_catalog.current_setting('archive_command', true) as command,
  -- From 15 on.
  coalesce(pg_catalog.current_setting('archive_library', true), '') as library,
  a.archived_count::float8 as "archivedCount",
  a.failed_count::float8 as "failedCount",
  a.last_failed_wal as "lastFailedWal",
  extract(epoch from pg_catalog.clock_timestamp() - a.last_archived_time)::float8 as "archivedSecondsAgo",
  extract(epoch from pg_catalog.clock_timestamp() - a.last_failed_time)::float8 as "failedSecondsAgo",
  pg_catalog.has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'execute')
    and pg_catalog.has_function_privilege('pg_catalog.pg_ls_waldir()', 'execute') as "mayListFiles"
from pg_catalog.pg_stat_archiver a
limit 1
