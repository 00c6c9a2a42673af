-- Which tables are published with chosen columns or rows that their replica identity does not fit?
with
  -- From PostgreSQL 15 on; a partition of a table that is published as a whole is not looked at.
  chosen as (
    select
      c.oid,
      c.relname,
      c.relnamespace,
      c.relreplident,
      c.relpages,
      p.pubname,
      p.pubupdate,
      p.pubdelete,
      r.prattrs::int2[] as columns,
      r.prqual,
      (
        select i.indkey[0:i.indnkeyatts - 1]
        from pg_catalog.pg_index i
        where i.indrelid = c.oid
          and i.indisvalid
          and i.indisunique
          and i.indimmediate
          and i.indpred is null
          and ((c.relreplident = 'd' and i.indisprimary) or (c.relreplident = 'i' and i.indisreplident))
      ) as identity
    from pg_catalog.pg_publication_rel r
    join pg_catalog.pg_publication p on p.oid = r.prpubid
    join pg_catalog.pg_class c on c.oid = r.prrelid
    where (p.pubupdate or p.pubdelete)
      and (r.prattrs is not null or r.prqual is not null)
      and c.relkind = 'r'
  ),
  unfit as (
    select f.*
    from chosen f
    where
      -- Columns must have all of it, which of a whole row they never have.
      (f.columns is not null and f.relreplident = 'f')
      or (f.columns is not null and not f.identity::int2[] <@ f.columns)
      -- A filter may look at nothing else, unless it is the whole row.
      or (
        f.identity is not null
        and exists (
          select from pg_catalog.regexp_matches(f.prqual::text, ':varattno (\d+)', 'g') v (found)
          where v.found[1]::int2 <> all (f.identity)
        )
      )
  )
select
  u.oid,
  n.nspname::text as schema,
  u.relname::text as name,
  pg_catalog.format('%I.%I', n.nspname, u.relname) as qualified,
  'unfit' as identity,
  pg_catalog.max(u.relpages)::int8::float8 * pg_catalog.current_setting('block_size')::int as "sizeBytes",
  pg_catalog.bool_or(u.pubupdate) as updates,
  pg_catalog.bool_or(u.pubdelete) as deletes,
  pg_catalog.array_agg(u.pubname::text order by u.pubname) as publications,
  null as "usableIndex"
from unfit u
join pg_catalog.pg_namespace n on n.oid = u.relnamespace
group by u.oid, n.nspname, u.relname
order by u.oid
limit 1000
