-- Which schemas are published as a whole?
select n.pnpubid::text as publication, n.pnnspid::text as schema
from pg_catalog.pg_publication_namespace n
order by n.oid
limit 10000
