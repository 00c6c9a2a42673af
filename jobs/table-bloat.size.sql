-- How large is this table now, and what lies outside its rows?
select
  -- It opens the table: of one that is locked nothing is known.
  pg_catalog.pg_relation_size(c.oid)::float8 as "heapBytes",
  coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, 0)), 0)::float8 as "toastBytes"
from pg_catalog.pg_class c
where c.oid = $1::oid
limit 1
