-- How many errors and conflicts has each subscription of this database met, and is it disabled by one?
select
  s.subname::text as name,
  s.subdisableonerr as "isDisabledByErrors",
  (
    select pg_catalog.sum(c.value::text::float8)
    from pg_catalog.jsonb_each(pg_catalog.to_jsonb(e)) c
    where c.key like '%\_error\_count'
  ) as errors,
  -- From 18 on.
  (
    select coalesce(pg_catalog.jsonb_object_agg(pg_catalog.substr(c.key, 7), c.value), '{}')
    from pg_catalog.jsonb_each(pg_catalog.to_jsonb(e)) c
    where c.key like 'confl\_%' and c.value <> '0'
  ) as conflicts
from pg_catalog.pg_subscription s
join pg_catalog.pg_stat_subscription_stats e on e.subid = s.oid
where s.subdbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
order by s.subname
limit 1000
