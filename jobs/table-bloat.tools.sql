-- Who asks, on which version, and with which extensions may they measure?
select
  pg_catalog.quote_ident(current_user) as role,
  pg_catalog.current_setting('server_version_num')::int as version,
  (
    select pg_catalog.json_object_agg(e.extname, n.nspname)
    from pg_catalog.pg_extension e
    join pg_catalog.pg_namespace n on n.oid = e.extnamespace
    where pg_catalog.has_schema_privilege(n.oid, 'usage')
      and exists (
        select
        from pg_catalog.pg_proc p
        where p.pronamespace = n.oid
          and (e.extname, p.proname) in (('pgstattuple', 'pgstattuple_approx'), ('pg_freespacemap', 'pg_freespace'))
          and pg_catalog.has_function_privilege(p.oid, 'execute')
      )
  ) as extensions
limit 1
