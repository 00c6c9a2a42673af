-- Which readers of an Aurora cluster hold what back, the oldest first?
select
  r.server_id::text as name,
  pg_catalog.age(r.feedback_xmin::text::pg_catalog.xid) as "ageXids",
  r.feedback_xmin::text as held
from aurora_replica_status() r
where r.session_id <> 'MASTER_SESSION_ID'
  -- One that holds nothing.
  and r.feedback_xmin::text <> '0'
order by 2 desc
limit 20
