-- What is each column of these tables, and what does ANALYZE know of its values?
with
  wanted as materialized (
    select c.oid, c.relname, n.nspname
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = any ($1::oid[])
  ),
  -- The view's own rows of these names, read once: it shows none of a table that the role may not read.
  statistics as materialized (
    select s.schemaname, s.tablename, s.attname, s.avg_width, s.null_frac
    from pg_catalog.pg_stats s
    where s.tablename = any (array(select w.relname from wanted w))
      and not s.inherited
  )
select
  w.oid,
  pg_catalog.has_table_privilege(w.oid, 'select') and not pg_catalog.row_security_active(w.oid) as "mayRead",
  pg_catalog.json_agg(
    pg_catalog.json_build_object(
      'name', a.attname,
      'length', a.attlen,
      'alignment', case a.attalign when 'd' then 8 when 'i' then 4 when 's' then 2 else 1 end,
      'storage', a.attstorage,
      'isDropped', a.attisdropped,
      'meanWidth', s.avg_width,
      'nullFraction', s.null_frac
    )
    order by a.attnum
  ) as columns
from wanted w
join pg_catalog.pg_attribute a on a.attrelid = w.oid and a.attnum > 0
left join statistics s on s.schemaname = w.nspname and s.tablename = w.relname and s.attname = a.attname
group by w.oid
limit 5000
