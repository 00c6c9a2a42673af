-- How many publications of this database publish updates or deletes, and may they publish schemas?
select
  pg_catalog.current_database()::text as database,
  pg_catalog.count(*)::int as count,
  -- From 15 on.
  pg_catalog.to_regclass('pg_catalog.pg_publication_namespace') is not null as "maySchemas"
from pg_catalog.pg_publication p
where p.pubupdate or p.pubdelete
limit 1
