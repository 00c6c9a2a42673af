-- How many leaf pages does pgstatindex find in this index, and how full are they?
with
  statement as materialized (
    select pg_catalog.format(
      'select concat_ws('','', index_size, leaf_pages, avg_leaf_density) as r
       from %I.pgstatindex(%s::oid::regclass)',
      $2::text, $1::oid
    ) as text
  )
select f.v[1]::float8 as "sizeBytes", f.v[2]::float8 as "leafPages", f.v[3]::float8 as "densityPercent"
from statement s
cross join lateral (
  select pg_catalog.string_to_array(
    pg_catalog.substring(pg_catalog.query_to_xml(s.text, false, false, '')::text, '<r>(.*)</r>'), ','
  )
) f (v)
limit 1
