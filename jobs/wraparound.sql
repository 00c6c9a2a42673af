-- How old are the oldest unfrozen transaction and multixact ids of each database, and how fast are new ones used up?
select
  d.datname::text as name,
  d.datallowconn as "takesConnections",
  pg_catalog.age(d.datfrozenxid) as "xidAge",
  pg_catalog.mxid_age(d.datminmxid) as "mxidAge",
  pg_catalog.current_setting('autovacuum_freeze_max_age')::int as "xidForcedAt",
  pg_catalog.current_setting('autovacuum_multixact_freeze_max_age')::int as "mxidForcedAt",
  pg_catalog.current_setting('autovacuum') = 'on' as "isAutovacuumOn",
  -- Read off a snapshot: asking for the current transaction id would use one up.
  pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())::float8 as "nextXid",
  -- Told by the oldest and its age: Aurora refuses what the checkpoint says. 2 ^ 32 of them go round.
  ((d.datminmxid::text::int8 + pg_catalog.mxid_age(d.datminmxid)) % 4294967296)::float8 as "nextMultixact",
  -- One transaction each may be a member of every multixact.
  pg_catalog.current_setting('max_connections')::int
    + pg_catalog.current_setting('max_prepared_transactions')::int as "sharersAtMost",
  pg_catalog.has_function_privilege('pg_catalog.pg_ls_dir(text)', 'execute') as "mayListFiles"
from pg_catalog.pg_database d
order by greatest(pg_catalog.age(d.datfrozenxid), pg_catalog.mxid_age(d.datminmxid)) desc
limit 1000
