-- What is each column of these indexes, and what does ANALYZE know of its values?
with
  wanted as materialized (
    select i.indexrelid, i.indrelid, i.indkey, i.indnkeyatts, n.nspname, c.relname,
      tn.nspname as table_schema, t.relname as table_name
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_class t on t.oid = i.indrelid
    join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    where i.indexrelid = any ($1::oid[])
  )
select
  w.indexrelid as oid,
  case
    when not pg_catalog.has_table_privilege(w.indrelid, 'select') then 'no-privilege'
    when pg_catalog.row_security_active(w.indrelid) then 'row-security'
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
        'isDropped', false,
        'isKey', a.attnum <= w.indnkeyatts,
        'meanWidth', s.avg_width,
        'nullFraction', s.null_frac,
        'widths', x.widths,
        'isExpression', t.attname is null,
        'distinct', s.n_distinct,
        'frequencies', s.most_common_freqs
      )
      order by a.attnum
    ) as columns
  from pg_catalog.pg_attribute a
  left join pg_catalog.pg_attribute t
    on t.attrelid = w.indrelid
    and t.attnum = w.indkey[a.attnum - 1]
    and t.attnum <> 0
  left join lateral (
    -- Of an expression the statistics are kept under the index's name.
    select s.avg_width, s.null_frac, s.n_distinct, s.most_common_freqs,
      coalesce(s.histogram_bounds, s.most_common_vals)::text::text[] as examples
    from pg_catalog.pg_stats s
    where s.schemaname = case when t.attname is null then w.nspname else w.table_schema end
      and s.tablename = case when t.attname is null then w.relname else w.table_name end
      and s.attname = coalesce(t.attname, a.attname)
      and not s.inherited
    offset 0
  ) s on true
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
  where a.attrelid = w.indexrelid
    and a.attnum > 0
) k
limit 5000
