-- How much of the space for the members of multixacts is taken at the most?
select
  -- A file has 32 pages of 409 groups of 4 members.
  (pg_catalog.count(*) * 32 * 409 * 4)::float8 as members
from pg_catalog.pg_ls_dir('pg_multixact/members') f (name)
where f.name ~ '^[0-9A-F]+$'
limit 1
