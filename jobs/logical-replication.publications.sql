-- How many publications of this database publish updates or deletes, and may they choose schemas, columns and rows?
select
  pg_catalog.current_database()::text as database,
  pg_catalog.count(*)::int as count,
  -- From 15 on.
  pg_catalog.to_regclass('pg_catalog.pg_publication_namespace') is not null as "mayChoose"
from pg_catalog.pg_publication p
where p.pubupdate or p.pubdelete
limit 1
