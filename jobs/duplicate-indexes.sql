-- Which indexes of one table begin alike, and what are they made of?
with recursive
  -- By numbers alone, which leaves few of them; an operator class is of one method.
  alike as materialized (
    select a.indexrelid
    from (
      select
        i.indexrelid,
        pg_catalog.count(*) over (
          partition by i.indrelid, i.indkey[0], i.indclass[0], i.indcollation[0], i.indoption[0]
        ) as alike
      from pg_catalog.pg_index i
      where i.indisvalid
        and i.indisready
        and i.indislive
        -- Below it is the server's own.
        and i.indexrelid >= 16384
    ) a
    where a.alike > 1
  ),
  -- No index at all is opened: what is compared is what the catalog holds of them.
  indexes as materialized (
    select
      i.*, c.relname, c.relnamespace, c.relam, c.reloptions, c.relfilenode,
      t.relname as table_name, t.relnamespace as table_namespace,
      c.relpages::float8 * pg_catalog.current_setting('block_size')::int as size_bytes
    from alike l
    join pg_catalog.pg_index i on i.indexrelid = l.indexrelid
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_class t on t.oid = i.indrelid
    join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
    where c.relkind = 'i'
      and c.relpersistence <> 't'
      and t.relkind in ('r', 'm')
      and tn.nspname <> '_timescaledb_internal'
      -- Templates of pg_partman have no rows.
      and not (
        t.relname like 'template\_%'
        and t.relnamespace in (select e.extnamespace from pg_catalog.pg_extension e where e.extname = 'pg_partman')
      )
  ),
  -- Whole tables, those with the largest of such indexes first.
  candidates as materialized (
    select x.*, pg_catalog.max(x.size_bytes) over (partition by x.indrelid) as table_weight
    from indexes x
    order by table_weight desc, x.indrelid, x.indexrelid
    limit 5000
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
      and d.deptype = 'e'
  )
select
  x.indexrelid as oid,
  n.nspname::text as schema,
  x.relname::text as name,
  x.relfilenode::text as file,
  pg_catalog.format('%I.%I', n.nspname, x.relname) as qualified,
  x.indrelid as "tableOid",
  pg_catalog.format('%I.%I', tn.nspname, x.table_name) as table,
  a.amname::text as method,
  x.size_bytes as "sizeBytes",
  x.indnkeyatts as "keyCount",
  pg_catalog.string_to_array(x.indkey::text, ' ') as columns,
  pg_catalog.string_to_array(x.indclass::text, ' ') as opclasses,
  pg_catalog.string_to_array(x.indcollation::text, ' ') as collations,
  pg_catalog.string_to_array(x.indoption::text, ' ') as orders,
  -- Where in the statement an expression stood is part of its tree, and says nothing.
  pg_catalog.regexp_replace(x.indexprs::text, ':location -?\d+', '', 'g') as expressions,
  pg_catalog.regexp_replace(x.indpred::text, ':location -?\d+', '', 'g') as predicate,
  -- Of operator classes, and of the index: pages_per_range, siglen.
  (
    select pg_catalog.array_agg(o.attoptions::text order by o.attnum)::text
    from pg_catalog.pg_attribute o
    where o.attrelid = x.indexrelid
      and o.attnum > 0
  ) as "opclassOptions",
  x.reloptions::text as options,
  x.indisunique as "isUnique",
  -- From 15 on.
  coalesce((pg_catalog.to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false) as "nullsAreEqual",
  x.indimmediate as "isImmediate",
  x.indexrelid in (select k.conindid from pg_catalog.pg_constraint k) as "servesConstraint",
  x.indisprimary or x.indisexclusion as "isOfConstraint",
  x.indisreplident as "isReplicaIdentity",
  x.indisclustered as "isClustered",
  x.indexrelid in (select h.inhrelid from pg_catalog.pg_inherits h) as "isPartition"
from candidates x
join pg_catalog.pg_namespace n on n.oid = x.relnamespace
join pg_catalog.pg_namespace tn on tn.oid = x.table_namespace
join pg_catalog.pg_am a on a.oid = x.relam
where x.indexrelid not in (select o.indexrelid from owned o)
order by x.table_weight desc, x.indrelid, x.indexrelid
limit 5000
