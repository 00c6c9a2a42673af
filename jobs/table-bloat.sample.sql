-- How many rows are on these pages of a table, and how long is each of their values?
with
  -- No value leaves the server, only lengths; the tuple ids that a page can hold are fetched, and no page besides.
  statement as materialized (
    select pg_catalog.format(
      'select string_agg(page, '';'') as r
       from (
         select block || '':'' || count(*) || '':'' || coalesce(string_agg(lengths, '' '' order by row), '''') as page
         from (
           select (ctid::text::point)[0]::bigint as block, (ctid::text::point)[1]::int as row, %s as lengths
           from only %I.%I
           where ctid = any (array(
             select format(''(%%s,%%s)'', page, row)::tid
             from unnest(%L::bigint[]) page, generate_series(1, %s) row
           ))
         ) rows
         group by block
       ) pages',
      case when $3::boolean then columns.lengths else 'null::text' end,
      n.nspname, c.relname, $2::bigint[],
      -- No row is shorter than its header and line pointer.
      pg_catalog.current_setting('block_size')::int / 28
    ) as text
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    cross join lateral (
      select pg_catalog.string_agg(
        pg_catalog.format('coalesce(pg_column_size(%I)::text, '''')', a.attname), ' || '','' || ' order by a.attnum
      ) as lengths
      from pg_catalog.pg_attribute a
      where a.attrelid = c.oid
        and a.attnum > 0
        and not a.attisdropped
    ) columns
    where c.oid = $1::oid
  )
-- XML is but the way to run a statement that names what this one is told.
select pg_catalog.substring(
  pg_catalog.query_to_xml(s.text, false, false, '')::text, '<r>(.*)</r>'
) as pages
from statement s
limit 1
