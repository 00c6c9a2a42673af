-- Up Migration

-- What a job remembers of each node from one check to the next, by the node's name; and the storm it is in, if any.
alter table checks
  add column memory jsonb not null default '{}',
  add column storm_since timestamptz,
  add column storm_seen_at timestamptz,
  add column storm_next_at timestamptz,
  add column storm_every_seconds integer;

-- What each look at a storm saw: a few hundred rows a storm at the most, for 30 days.
create table storm_samples (
  id bigint generated always as identity primary key,
  job text not null,
  target text not null,
  node text not null,
  fingerprint text not null,
  storm_since timestamptz not null,
  alert_id bigint references alerts on delete set null,
  at timestamptz not null,
  victim_count integer not null,
  longest_wait_seconds double precision,
  every_seconds integer not null,
  evidence text not null,
  facts text not null
);
create index storm_samples_storm on storm_samples (target, job, storm_since);
create index storm_samples_alert on storm_samples (alert_id) where alert_id is not null;
create index storm_samples_at on storm_samples (at);

-- Down Migration
drop table storm_samples;
alter table checks
  drop column memory,
  drop column storm_since,
  drop column storm_seen_at,
  drop column storm_next_at,
  drop column storm_every_seconds;
