-- Since when does this node count scans, and who streams from it?
select
  c.system_identifier::text as "systemIdentifier",
  extract(epoch from pg_catalog.clock_timestamp())::float8 as "nowSeconds",
  -- A crash makes all of them begin anew; pg_stat_reset only that of the database, which from 15 on may have none. A
  -- reset of one of the shared ones alone says nothing of indexes.
  extract(
    epoch from greatest(
      pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
      least(pg_catalog.pg_stat_get_bgwriter_stat_reset_time(), a.stats_reset)
    )
  )::float8 as "countedSinceSeconds",
  pg_catalog.current_setting('track_counts') = 'on' as "isCounting",
  pg_catalog.pg_is_in_recovery() as "isStandby",
  -- Its readers share the writer's storage: none streams.
  pg_catalog.to_regproc('aurora_version') is not null as "isAurora",
  (
    select coalesce(
      pg_catalog.jsonb_agg(
        pg_catalog.jsonb_build_object(
          'application', p.application_name, 'client', pg_catalog.host(p.client_addr), 'slot', slot.slot_name
        )
        order by s.pid
      ),
      '[]'
    )
    from pg_catalog.pg_stat_get_wal_senders() s
    left join pg_catalog.pg_stat_get_activity(null) p on p.pid = s.pid
    left join pg_catalog.pg_get_replication_slots() slot on slot.active_pid = s.pid
    where s.state is distinct from 'backup'
      and slot.slot_type is distinct from 'logical'
      -- What streams and replays nothing, as pg_receivewal, answers no queries.
      and (s.replay_lsn is not null or s.state is distinct from 'streaming')
  ) as senders
from pg_catalog.pg_database d
cross join pg_catalog.pg_stat_get_archiver() a
cross join pg_catalog.pg_control_system() c
where d.datname = pg_catalog.current_database()
limit 1
