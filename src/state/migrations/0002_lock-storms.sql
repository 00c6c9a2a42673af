-- Up Migration

-- What a job remembers of each node from one check to the next, by the node's name.
alter table checks add column memory jsonb not null default '{}';

-- Down Migration
alter table checks drop column memory;
