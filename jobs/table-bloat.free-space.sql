-- How much free space does the free space map know of, on these pages of a table?
with
  statement as materialized (
    select pg_catalog.format(
      'select concat_ws('','', sum(pg_freespace), count(*) filter (where pg_freespace > 0)) as r
       from unnest(%L::bigint[]) page, lateral %I.pg_freespace(%s::oid::regclass, page)',
      $3::bigint[], $2::text, $1::oid
    ) as text
  )
select f.v[1]::float8 as "freeBytes", f.v[2]::float8 as "pagesWithSpace"
from statement s
cross join lateral (
  select pg_catalog.string_to_array(
    pg_catalog.substring(pg_catalog.query_to_xml(s.text, false, false, '')::text, '<r>(.*)</r>'), ','
  )
) f (v)
limit 1
