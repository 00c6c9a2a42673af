-- How many rows and how much free space does pgstattuple_approx find in this table?
with
  statement as materialized (
    select pg_catalog.format(
      'select concat_ws('','', table_len, scanned_percent, approx_tuple_count, approx_tuple_len, dead_tuple_len,
         approx_free_space) as r
       from %I.pgstattuple_approx(%s::oid::regclass)',
      $2::text, $1::oid
    ) as text
  )
select f.v[1]::float8 as "heapBytes", f.v[2]::float8 as "scannedPercent", f.v[3]::float8 as rows,
  f.v[4]::float8 as "rowBytes", f.v[5]::float8 as "deadBytes", f.v[6]::float8 as "freeBytes"
from statement s
cross join lateral (
  select pg_catalog.string_to_array(
    pg_catalog.substring(pg_catalog.query_to_xml(s.text, false, false, '')::text, '<r>(.*)</r>'), ','
  )
) f (v)
limit 1
