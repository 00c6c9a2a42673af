-- What is each column of these tables, and what does ANALYZE know of its values?
with
  wanted as materialized (
    select c.oid, c.relname, n.nspname
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid = any ($1::oid[])
  )
select
  w.oid,
  case
    when not pg_catalog.has_table_privilege(w.oid, 'select') then 'no-privilege'
    when pg_catalog.row_security_active(w.oid) then 'row-security'
  end as hidden,
  k.columns
from wanted w
cross join lateral (
  select
    pg_catalog.json_agg(
      pg_catalog.json_build_object(
        'length', a.attlen,
        'alignment', case a.attalign when 'd' then 8 when 'i' then 4 when 's' then 2 else 1 end,
        'storage', a.attstorage,
        'isDropped', a.attisdropped,
        'meanWidth', s.avg_width,
        'nullFraction', s.null_frac,
        'widths', x.widths
      )
      order by a.attnum
    ) as columns
  from pg_catalog.pg_attribute a
  left join (
    -- Table by table: the view as a whole is what such questions cost. It shows nothing that the role may not read.
    select s.attname, s.avg_width, s.null_frac,
      coalesce(s.histogram_bounds, s.most_common_vals)::text::text[] as examples
    from pg_catalog.pg_stats s
    where s.schemaname = w.nspname
      and s.tablename = w.relname
      and not s.inherited
    offset 0
  ) s on s.attname = a.attname
  -- Of the values that ANALYZE keeps, only how long they are leaves the server.
  left join pg_catalog.pg_type y on y.oid = a.atttypid
  cross join lateral (
    select pg_catalog.json_agg(
      case
        when y.typname = 'numeric' then pg_catalog.pg_column_size(v.example::numeric) - 3
        when pg_catalog.octet_length(v.example) < 127 then pg_catalog.octet_length(v.example) + 1
        else pg_catalog.octet_length(v.example) + 4
      end
    ) as widths
    from pg_catalog.unnest(s.examples) v (example)
    where a.attlen = -1
      and (y.typname = 'numeric' or y.typcategory = 'S')
  ) x
  where a.attrelid = w.oid
    and a.attnum > 0
) k
limit 5000
