-- What are these roles and databases called?
select 'role' as kind, r.oid, r.rolname::text as name
from pg_catalog.pg_roles r
where r.oid = any ($1::oid[])
union all
select 'database', d.oid, d.datname::text
from pg_catalog.pg_database d
where d.oid = any ($2::oid[])
limit 2000
