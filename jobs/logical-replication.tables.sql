-- Which tables are published with their updates or deletes, and have nothing by which a subscriber can tell a row?
with recursive
  -- Not the functions of publications, which open each table. $1, $2: publications and the schemas they publish as a whole.
  schemas as (
    select u.publication, u.schema
    from rows from (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::oid[])) u (publication, schema)
  ),
  -- What is written to is a table or a partition, never a partitioned table: those alone are looked at by an update.
  bare as (
    select c.oid, c.relname, c.relnamespace, c.relreplident, c.relpages, c.relispartition
    from pg_catalog.pg_class c
    where c.relkind = 'r'
      and c.relpersistence = 'p'
      -- Those below came with the server, and are never published.
      and c.oid >= 16384
      and c.relreplident <> 'f'
      and not exists (
        select from pg_catalog.pg_index i
        where i.indrelid = c.oid
          and i.indisvalid
          and i.indisunique
          and i.indimmediate
          and i.indpred is null
          and ((c.relreplident = 'd' and i.indisprimary) or (c.relreplident = 'i' and i.indisreplident))
      )
  ),
  lineage as (
    select b.oid, b.oid as ancestor, b.relispartition
    from bare b
    union
    select l.oid, h.inhparent, p.relispartition
    from lineage l
    join pg_catalog.pg_inherits h on h.inhrelid = l.ancestor
    join pg_catalog.pg_class p on p.oid = h.inhparent
    where l.relispartition
  ),
  owned as (
    select l.oid
    from lineage l
    join pg_catalog.pg_depend d on d.objid = l.ancestor
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.deptype = 'e'
  ),
  published as (
    select
      l.oid,
      pg_catalog.bool_or(p.pubupdate) as updates,
      pg_catalog.bool_or(p.pubdelete) as deletes,
      pg_catalog.array_agg(distinct p.pubname::text) as publications
    from lineage l
    join pg_catalog.pg_class c on c.oid = l.ancestor
    join pg_catalog.pg_publication p on p.pubupdate or p.pubdelete
    where p.puballtables
      or exists (select from pg_catalog.pg_publication_rel r where r.prpubid = p.oid and r.prrelid = l.ancestor)
      or (p.oid, c.relnamespace) in (select s.publication, s.schema from schemas s)
    group by l.oid
  )
select
  b.oid,
  n.nspname::text as schema,
  b.relname::text as name,
  pg_catalog.format('%I.%I', n.nspname, b.relname) as qualified,
  b.relreplident as identity,
  b.relpages::int8::float8 * pg_catalog.current_setting('block_size')::int as "sizeBytes",
  p.updates,
  p.deletes,
  p.publications,
  -- Would do as it is: whole, unique at once, without nulls.
  (
    select pg_catalog.quote_ident(ic.relname)
    from pg_catalog.pg_index i
    join pg_catalog.pg_class ic on ic.oid = i.indexrelid
    where i.indrelid = b.oid
      and i.indisvalid
      and i.indisunique
      and i.indimmediate
      and i.indpred is null
      and i.indexprs is null
      and not exists (
        select from pg_catalog.pg_attribute a
        where a.attrelid = b.oid
          and a.attnum = any (i.indkey[0:i.indnkeyatts - 1])
          and not a.attnotnull
      )
    order by i.indnkeyatts, i.indexrelid
    limit 1
  ) as "usableIndex"
from published p
join bare b on b.oid = p.oid
join pg_catalog.pg_namespace n on n.oid = b.relnamespace
where n.nspname <> '_timescaledb_internal'
  and b.oid not in (select o.oid from owned o)
  -- Templates of pg_partman have no rows.
  and not (
    b.relname like 'template\_%'
    and b.relnamespace in (select e.extnamespace from pg_catalog.pg_extension e where e.extname = 'pg_partman')
  )
order by b.oid
limit 1000
