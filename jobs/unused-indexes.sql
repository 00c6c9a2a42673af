-- On which indexes does nothing stand but queries, and how often did queries on this node use them?
with recursive
  -- No index is opened: sizes are those of the last vacuum or analyze.
  candidates as materialized (
    select
      i.*, c.relname, c.relnamespace, c.relam, c.relpages, c.relfilenode, m.amname,
      t.relname as table_name, t.relnamespace as table_namespace,
      pg_catalog.regexp_replace(i.indpred::text, ':location -?\d+', '', 'g') as predicate,
      pg_catalog.regexp_replace(i.indexprs::text, ':location -?\d+', '', 'g') as expressions
    from pg_catalog.pg_class c
    join pg_catalog.pg_index i on i.indexrelid = c.oid
    join pg_catalog.pg_class t on t.oid = i.indrelid
    join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    join pg_catalog.pg_am m on m.oid = c.relam
    where c.relkind = 'i'
      and c.relpersistence <> 't'
      and t.relkind in ('r', 'm')
      -- Below it is the server's own.
      and c.oid >= 16384
      and i.indisvalid
      and i.indisready
      and i.indislive
      and c.relpages::float8 * pg_catalog.current_setting('block_size')::int >= $1::float8
      and not (i.indisunique or i.indisprimary or i.indisexclusion or i.indisreplident or i.indisclustered)
      -- Its own constraint, or the foreign key of another table.
      and not exists (select from pg_catalog.pg_constraint k where k.conindid = c.oid)
      -- That of a partitioned table is used if it is in any partition: they are left out altogether.
      and not exists (select from pg_catalog.pg_inherits h where h.inhrelid = c.oid)
      -- Other methods may not count their scans.
      and (m.amhandler::oid < 16384 or m.amname in ('bloom', 'hnsw', 'ivfflat'))
      -- ANALYZE keeps statistics of an expression, by which plans are made that never read the index.
      and (
        i.indexprs is null
        or not exists (
          select
          from pg_catalog.pg_attribute e
          where e.attrelid = c.oid
            and i.indkey[e.attnum - 1] = 0
            and e.attstattarget is distinct from 0
        )
      )
      and tn.nspname <> '_timescaledb_internal'
      -- Templates of pg_partman have no rows.
      and not (
        t.relname like 'template\_%'
        and t.relnamespace in (select e.extnamespace from pg_catalog.pg_extension e where e.extname = 'pg_partman')
      )
    order by c.relpages desc, c.oid
    limit 1990
  ),
  -- A partition of an extension's table is the extension's too.
  lineage as (
    select x.indexrelid, u.ancestor
    from candidates x
    cross join lateral pg_catalog.unnest(array[x.indexrelid, x.indrelid]) u (ancestor)
    union
    select l.indexrelid, h.inhparent
    from lineage l
    join pg_catalog.pg_inherits h on h.inhrelid = l.ancestor
  ),
  owned as (
    select l.indexrelid
    from lineage l
    join pg_catalog.pg_depend d on d.objid = l.ancestor
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.deptype in ('e', 'x')
  )
select
  x.indexrelid as oid,
  n.nspname::text as schema,
  x.relname::text as name,
  x.relfilenode::text as file,
  x.indrelid::oid::text as "tableOid",
  pg_catalog.format('%I.%I', n.nspname, x.relname) as qualified,
  pg_catalog.format('%I.%I', tn.nspname, x.table_name) as table,
  x.amname::text as method,
  x.relpages::float8 * pg_catalog.current_setting('block_size')::int as "sizeBytes",
  (
    select pg_catalog.string_agg(pg_catalog.quote_ident(e.attname), ', ' order by e.attnum)
    from pg_catalog.pg_attribute e
    where e.attrelid = x.indexrelid
      and e.attnum > 0
  ) as columns,
  x.indpred is not null as "isPartial",
  -- One of the same name that is made of something else is another one; one that was rebuilt or made again is not.
  pg_catalog."left"(
    pg_catalog.md5(
      pg_catalog.concat_ws(
        '|', x.amname, x.table_name, x.indkey, x.indclass, x.indcollation, x.indoption, x.predicate, x.expressions
      )
    ),
    8
  ) as identity,
  s.idx_scan::float8 as scans,
  -- From 16 on.
  extract(epoch from (pg_catalog.to_jsonb(s) ->> 'last_idx_scan')::timestamptz)::float8 as "lastScanSeconds",
  (
    pg_catalog.pg_stat_get_tuples_inserted(x.indrelid) + pg_catalog.pg_stat_get_tuples_updated(x.indrelid)
    - pg_catalog.pg_stat_get_tuples_hot_updated(x.indrelid) + pg_catalog.pg_stat_get_tuples_deleted(x.indrelid)
  )::float8 as writes,
  f."foreignKeys",
  coalesce(o."isKeptForAnother", false) as "isKeptForAnother"
from candidates x
join pg_catalog.pg_namespace n on n.oid = x.relnamespace
join pg_catalog.pg_namespace tn on tn.oid = x.table_namespace
join pg_catalog.pg_stat_all_indexes s on s.indexrelid = x.indexrelid
-- Foreign keys whose rows it finds, and the indexes besides that find all of them.
cross join lateral (
  select
    coalesce(
      pg_catalog.jsonb_agg(
        (
          select coalesce(pg_catalog.jsonb_agg(a.indexrelid::int8 order by a.indexrelid), '[]')
          from pg_catalog.pg_index a
          join pg_catalog.pg_class ac on ac.oid = a.indexrelid
          join pg_catalog.pg_am am on am.oid = ac.relam
          where a.indrelid = x.indrelid
            and a.indexrelid <> x.indexrelid
            and a.indisvalid
            and a.indisready
            and a.indislive
            and a.indpred is null
            and am.amname in ('btree', 'hash')
            and a.indnkeyatts >= pg_catalog.cardinality(k.conkey)
            and (a.indkey::int2[])[0:pg_catalog.cardinality(k.conkey) - 1] @> k.conkey
        )
        order by k.oid
      ),
      '[]'
    ) as "foreignKeys"
  from pg_catalog.pg_constraint k
  where k.contype = 'f'
    and k.conrelid = x.indrelid
    and x.indkey[0] = any (k.conkey)
) f
-- Whether duplicate-indexes may drop another one because this one stays.
left join lateral (
  select true as "isKeptForAnother"
  from pg_catalog.pg_index a
  join pg_catalog.pg_class ac on ac.oid = a.indexrelid
  where a.indrelid = x.indrelid
    and a.indexrelid <> x.indexrelid
    and ac.relam = x.relam
    and a.indisvalid
    and a.indisready
    and a.indislive
    and not (a.indisunique or a.indisexclusion or a.indisreplident or a.indisclustered)
    and (
      a.indnkeyatts < x.indnkeyatts and x.amname = 'btree'
      or a.indnkeyatts = x.indnkeyatts and (a.indnatts < x.indnatts or a.indexrelid > x.indexrelid)
    )
    and (a.indkey::int2[])[0:a.indnkeyatts - 1] = (x.indkey::int2[])[0:a.indnkeyatts - 1]
    and (a.indclass::oid[])[0:a.indnkeyatts - 1] = (x.indclass::oid[])[0:a.indnkeyatts - 1]
    and (a.indcollation::oid[])[0:a.indnkeyatts - 1] = (x.indcollation::oid[])[0:a.indnkeyatts - 1]
    and (a.indoption::int2[])[0:a.indnkeyatts - 1] = (x.indoption::int2[])[0:a.indnkeyatts - 1]
    and (a.indkey::int2[]) <@ (x.indkey::int2[])
    and pg_catalog.regexp_replace(a.indpred::text, ':location -?\d+', '', 'g') is not distinct from x.predicate
    and (
      a.indexprs is null
      or pg_catalog.regexp_replace(a.indexprs::text, ':location -?\d+', '', 'g') = x.expressions
    )
    and not exists (select from pg_catalog.pg_constraint k where k.conindid = a.indexrelid)
    and not exists (select from pg_catalog.pg_inherits h where h.inhrelid = a.indexrelid)
  limit 1
) o on true
where x.indexrelid not in (select o.indexrelid from owned o)
order by x.relpages desc, x.indexrelid
limit 1990
