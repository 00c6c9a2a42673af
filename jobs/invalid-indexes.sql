-- Which indexes are invalid, is somebody at them, and what else depends on them?
with recursive
  -- A partitioned index is invalid until all its partitions have one, which is nobody's trouble: relkind 'I'.
  invalid as materialized (
    select
      i.*, c.relname, c.relnamespace, c.relpages, c.relam, c.relfilenode, coalesce(owner.oid, i.indrelid) as table_oid
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    -- What stands for a TOAST table is the table whose values are in it.
    left join pg_catalog.pg_class owner on owner.reltoastrelid = i.indrelid
    where not i.indisvalid
      and c.relkind = 'i'
      and c.relpersistence <> 't'
    order by i.indexrelid
    limit 1000
  ),
  -- A partition of an extension's table is the extension's too.
  lineage as (
    select v.indexrelid, u.ancestor
    from invalid v
    cross join lateral pg_catalog.unnest(array[v.indexrelid, v.table_oid]) u (ancestor)
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
  ),
  -- Which relation a build is about is hidden from most roles; which session it is, is not. While it works it holds this
  -- lock on the table; a rebuild, and a drop that is concurrent, hold it on the index too, which a vacuum never does.
  busy as (
    select l.relation, p.pid is not null as is_build
    from pg_catalog.pg_locks l
    left join pg_catalog.pg_stat_progress_create_index p on p.pid = l.pid
    where l.locktype = 'relation'
      and l.mode = 'ShareUpdateExclusiveLock'
      and l.granted
      and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
  )
select
  v.indexrelid as oid,
  n.nspname::text as schema,
  v.relname::text as name,
  v.relfilenode::text as file,
  v.indrelid::oid::text as "tableOid",
  pg_catalog.format('%I.%I', n.nspname, v.relname) as qualified,
  pg_catalog.format('%I.%I', tn.nspname, t.relname) as table,
  v.relpages::int8::float8 * pg_catalog.current_setting('block_size')::int as "sizeBytes",
  v.relname ~ '_ccnew[0-9]*$' as "isNamedNew",
  v.relname ~ '_ccold[0-9]*$' as "isNamedOld",
  v.indisready as "isReady",
  v.indislive as "isLive",
  v.indisunique as "isUnique",
  v.indisreplident as "isReplicaIdentity",
  v.indisexclusion as "isExclusion",
  v.indexrelid in (select k.conindid from pg_catalog.pg_constraint k) as "servesConstraint",
  v.indexrelid in (select h.inhrelid from pg_catalog.pg_inherits h) as "isPartition",
  exists (
    select from busy b
    where b.relation = v.indexrelid
      or (b.relation = v.indrelid and b.is_build)
  ) as "isBusy",
  (
    select pg_catalog.format('%I.%I', wn.nspname, wc.relname)
    from pg_catalog.pg_index w
    join pg_catalog.pg_class wc on wc.oid = w.indexrelid
    join pg_catalog.pg_namespace wn on wn.oid = wc.relnamespace
    where w.indrelid = v.indrelid
      and w.indisvalid
      and w.indislive
      and wc.relam = v.relam
      and w.indnkeyatts = v.indnkeyatts
      and w.indisunique = v.indisunique
      and (w.indkey::text, w.indclass::text, w.indcollation::text, w.indoption::text)
        = (v.indkey::text, v.indclass::text, v.indcollation::text, v.indoption::text)
      -- Where in the statement an expression stood is part of its tree, and says nothing.
      and pg_catalog.regexp_replace(w.indexprs::text, ':location -?\d+', '', 'g')
        is not distinct from pg_catalog.regexp_replace(v.indexprs::text, ':location -?\d+', '', 'g')
      and pg_catalog.regexp_replace(w.indpred::text, ':location -?\d+', '', 'g')
        is not distinct from pg_catalog.regexp_replace(v.indpred::text, ':location -?\d+', '', 'g')
    order by w.indexrelid
    limit 1
  ) as twin
from invalid v
join pg_catalog.pg_namespace n on n.oid = v.relnamespace
join pg_catalog.pg_class t on t.oid = v.table_oid
join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
where v.indexrelid not in (select o.indexrelid from owned o)
  and tn.nspname <> '_timescaledb_internal'
  -- Templates of pg_partman have no rows.
  and not (
    t.relname like 'template\_%'
    and t.relnamespace in (select e.extnamespace from pg_catalog.pg_extension e where e.extname = 'pg_partman')
  )
order by v.indexrelid
limit 1000
