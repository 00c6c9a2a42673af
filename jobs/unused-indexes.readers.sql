-- Which readers has this Aurora cluster?
select r.server_id::text as application, null::text as client, null::text as slot
from aurora_replica_status() r
where r.session_id <> 'MASTER_SESSION_ID'
order by r.server_id
limit 100
