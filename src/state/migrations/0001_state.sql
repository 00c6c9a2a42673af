-- Up Migration

-- What is known of each target: two targets with one system identifier are one cluster under two names.
create table targets (
  name text primary key,
  system_identifier text,
  seen_at timestamptz
);

-- The last check of each job on each target, and who is at it now.
create table checks (
  job text not null,
  target text not null,
  tick_at timestamptz not null,
  lease_until timestamptz,
  finished_at timestamptz,
  outcome text check (outcome in ('findings', 'error', 'cannot-judge', 'ok')),
  reason text,
  duration_ms integer,
  unjudged text not null default '[]',
  primary key (job, target)
);

create table alerts (
  id bigint generated always as identity primary key,
  job text not null,
  target text not null,
  fingerprint text not null,
  state text not null check (state in ('pending', 'firing', 'resolved')),
  severity text not null check (severity in ('info', 'warning', 'critical')),
  finding text not null,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  fired_at timestamptz,
  resolved_at timestamptz,
  clear_count integer not null default 0,
  stale_since timestamptz,
  stale_reason text,
  acknowledged_by text,
  acknowledged_at timestamptz
);
create unique index alerts_open on alerts (target, job, fingerprint) where state <> 'resolved';

create table runs (
  id bigint generated always as identity primary key,
  alert_id bigint references alerts,
  target text not null,
  runbook text not null,
  risk text not null,
  class text not null,
  subject text not null,
  does text not null,
  -- The bytes people approve, and their SHA-256: text, since jsonb keeps no bytes.
  plan text not null,
  plan_hash text not null,
  state text not null check (state in ('proposed', 'approved', 'scheduled', 'denied', 'expired', 'refused', 'withdrawn',
    'running', 'recovering', 'succeeded', 'failed', 'stopped', 'unknown')),
  asked_by text,
  asked_by_team text,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  decided_at timestamptz,
  started_at timestamptz,
  sent_at timestamptz,
  finished_at timestamptz,
  lease_owner text,
  lease_until timestamptz,
  fence integer not null default 0,
  outcome text,
  before_after text,
  trace text
);
-- One open proposal per subject of a target.
create unique index runs_open_subject on runs (target, subject)
  where state in ('proposed', 'approved', 'scheduled', 'running', 'recovering');
create index runs_open on runs (state) where state in ('proposed', 'approved', 'scheduled', 'running', 'recovering');
create index runs_alert on runs (alert_id);

create table approvals (
  run_id bigint not null references runs,
  user_id text not null,
  team_id text not null,
  verdict text not null check (verdict in ('yes', 'no')),
  reason text,
  at timestamptz not null default clock_timestamp(),
  primary key (run_id, user_id, team_id)
);

create table silences (
  id bigint generated always as identity primary key,
  target text not null,
  job text not null,
  fingerprint text not null,
  max_severity text not null check (max_severity in ('info', 'warning', 'critical')),
  reason text not null,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  ends_at timestamptz not null
);

-- A card shows an alert or a run; it lags while shown_version < wanted_version.
create table cards (
  id bigint generated always as identity primary key,
  channel text not null,
  alert_id bigint unique references alerts,
  run_id bigint unique references runs,
  wanted_version integer not null default 1,
  shown_version integer not null default 0,
  ts text,
  sending_since timestamptz,
  check (num_nonnulls(alert_id, run_id) = 1)
);
create index cards_lagging on cards (channel) where shown_version < wanted_version;

create table thread_lines (
  id bigint generated always as identity primary key,
  card_id bigint not null references cards,
  text text not null,
  created_at timestamptz not null default clock_timestamp(),
  sending_since timestamptz,
  ts text
);
create index thread_lines_unsent on thread_lines (card_id, id) where ts is null;

-- One drainer a channel at a time.
create table channels (
  id text primary key,
  lease_owner text,
  lease_until timestamptz,
  not_before timestamptz
);

-- What people asked for: stored before it is acknowledged, handled once, answered.
create table inbox (
  id bigint generated always as identity primary key,
  key text not null unique,
  kind text not null,
  user_id text not null,
  team_id text not null,
  payload text not null,
  response_url text,
  trace text not null,
  received_at timestamptz not null default clock_timestamp(),
  handled_at timestamptz,
  voided_at timestamptz,
  answer text,
  answered_at timestamptz
);
create index inbox_open on inbox (received_at) where handled_at is null or (answer is not null and answered_at is null);

create table switches (
  name text primary key,
  value text not null,
  reason text,
  set_by text not null,
  set_at timestamptz not null default clock_timestamp()
);

-- Append-only and hash-chained: hash = SHA-256(previous hash, newline, entry).
create table audit (
  seq bigint primary key,
  entry text not null,
  previous_hash text not null,
  hash text not null
);
create table audit_head (
  one boolean primary key default true check (one),
  seq bigint not null,
  hash text not null
);
insert into audit_head (seq, hash) values (0, repeat('0', 64));

-- Down Migration
drop table audit_head, audit, switches, inbox, channels, thread_lines, cards, silences, approvals, runs, alerts, checks, targets;
