-- Up Migration

-- The oid of the table that a run works on, within its database; a signal works on none.
alter table runs add column relation text;
-- The run whose left-overs this one cleans up, or whose act it takes back.
alter table runs add column follows bigint references runs;
-- How far it is, as JSON: what the card draws.
alter table runs add column progress text;
-- What would take its act back: the parameters of the runbook that does, as JSON, read before the act.
alter table runs add column undo text;
-- Bytes that it works on: with its duration, how fast the next one may be.
alter table runs add column size_bytes bigint;
-- Who wants it to stop, and why; the worker that carries it out looks for this.
alter table runs add column stop_by text;
alter table runs add column stop_reason text;
-- When a scheduled run may start.
alter table runs add column starts_at timestamptz;

-- Since when nobody could ask its server what became of it, after its worker was lost.
alter table runs add column blind_since timestamptz;

-- One run on a table at a time, and one piece of maintenance on a target, whichever replica claims them.
create unique index runs_on_relation on runs (target, relation)
  where relation is not null and state in ('running', 'recovering');
create unique index runs_maintaining on runs (target)
  where class in ('maintain', 'ddl') and state in ('running', 'recovering');

-- What a target that may only be observed would have been offered.
alter table reports drop constraint reports_kind_check;
alter table reports add check (kind in ('first-look', 'weekly', 'asked', 'trial'));

-- Down Migration
delete from thread_lines where card_id in (select c.id from cards c join reports r on r.id = c.report_id where r.kind = 'trial');
delete from cards where report_id in (select id from reports where kind = 'trial');
delete from reports where kind = 'trial';
alter table reports drop constraint reports_kind_check;
alter table reports add check (kind in ('first-look', 'weekly', 'asked'));
drop index runs_maintaining, runs_on_relation;
alter table runs drop column blind_since, drop column starts_at, drop column stop_reason, drop column stop_by, drop column progress,
  drop column undo, drop column size_bytes, drop column follows, drop column relation;
