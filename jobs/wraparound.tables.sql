-- Which tables of this database, TOAST included, have the oldest ids?
select
  pg_catalog.current_database()::text as database,
  pg_catalog.format('%I.%I', n.nspname, coalesce(o.relname, c.relname)) as name,
  o.oid is not null as "isToast",
  pg_catalog.age(c.relfrozenxid) as "xidAge",
  pg_catalog.mxid_age(c.relminmxid) as "mxidAge",
  c.relpages::int8::float8 * pg_catalog.current_setting('block_size')::int as "sizeBytes"
from (
  select *
  from pg_catalog.pg_class
  where relkind in ('r', 'm', 't')
  order by greatest(pg_catalog.age(relfrozenxid), pg_catalog.mxid_age(relminmxid)) desc, relpages desc
  limit 5
) c
left join pg_catalog.pg_class o on o.reltoastrelid = c.oid
join pg_catalog.pg_namespace n on n.oid = coalesce(o.relnamespace, c.relnamespace)
order by greatest(pg_catalog.age(c.relfrozenxid), pg_catalog.mxid_age(c.relminmxid)) desc, c.relpages desc
limit 5
