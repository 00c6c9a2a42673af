-- What are these relations called in the database we are connected to?
select
  c.oid,
  pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) as name,
  c.relkind in ('i', 'I', 't') as "isPart"
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.oid = any ($1::oid[])
limit 5000
