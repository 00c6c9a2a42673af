-- How many WAL files wait to be archived, since when does the oldest, and how large is pg_wal?
select
  r.waiting,
  r.oldest_seconds as "oldestWaitingSeconds",
  w.bytes as "walBytes"
from (
  select
    pg_catalog.count(*)::int,
    extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.min(f.modification))::float8
  from pg_catalog.pg_ls_archive_statusdir() f
  where f.name like '%.ready'
) r (waiting, oldest_seconds)
cross join (select pg_catalog.sum(f.size)::float8 from pg_catalog.pg_ls_waldir() f) w (bytes)
limit 1
