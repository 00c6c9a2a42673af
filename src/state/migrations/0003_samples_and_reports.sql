-- Up Migration

-- History: a figure of a target, or those of many objects of a day. Older figures are rolled up into longer steps.
create table samples (
  target text not null,
  job text not null,
  series text not null,
  step text not null check (step in ('raw', '10min', 'hour', 'day')),
  at timestamptz not null,
  -- The last of the step, and the highest in it.
  value double precision,
  highest double precision,
  -- By name, as JSON; only of a day.
  objects text,
  primary key (target, job, series, step, at),
  check (num_nonnulls(value, objects) = 1 and (value is null) = (highest is null)),
  check (objects is null or step = 'day')
);
create index samples_age on samples (step, at);

-- How many databases the last check of a job looked into; null where it doesn't look into each.
alter table checks add column databases integer;

-- When the next weekly report is due; null until the target was looked at by this version.
alter table targets add column report_due_at timestamptz;

-- What a report said when it was made; a message stays as it was.
create table reports (
  id bigint generated always as identity primary key,
  target text not null,
  kind text not null check (kind in ('first-look', 'weekly', 'asked')),
  asked_by text,
  content text not null,
  made_at timestamptz not null default clock_timestamp()
);
create index reports_target on reports (target, made_at desc);
create unique index reports_first_look on reports (target) where kind = 'first-look';

alter table cards add column report_id bigint unique references reports;
alter table cards drop constraint cards_check;
alter table cards add check (num_nonnulls(alert_id, run_id, report_id) = 1);

-- Down Migration
delete from thread_lines where card_id in (select id from cards where report_id is not null);
delete from cards where report_id is not null;
alter table cards drop column report_id;
alter table cards add check (num_nonnulls(alert_id, run_id) = 1);
drop table reports, samples;
alter table checks drop column databases;
alter table targets drop column report_due_at;
