import type { QueryResultRow } from 'pg';
import type { ReportContent } from '../alerts/compose-report.ts';
import type { Queryable } from './database.ts';

export type ReportKind = 'first-look' | 'weekly' | 'asked' | 'trial';

export interface StoredReport {
  id: number;
  target: string;
  kind: ReportKind;
  askedBy: string | null;
  content: ReportContent;
  madeAt: Date;
}

/** Reports of a target are decided one after the other; returns when its next weekly one is due, null if not known yet. */
export async function lockReports(db: Queryable, target: string): Promise<{ dueAt: Date | null; isNew: boolean }> {
  await db.query('insert into targets (name) values ($1) on conflict do nothing', [target]);
  const { rows } = await db.query<{ dueAt: Date | null; isNew: boolean }>(
    `select t.report_due_at as "dueAt", not exists (select from reports r where r.target = t.name and r.kind = 'first-look')
       as "isNew" from targets t where t.name = $1 for update of t`,
    [target],
  );
  return rows[0] ?? { dueAt: null, isNew: true };
}

export async function setReportDue(db: Queryable, target: string, dueAt: Date | null): Promise<void> {
  await db.query('update targets set report_due_at = $2 where name = $1', [target, dueAt]);
}

/** Whether a trial of so many days is over: counted from the first look, then from the report on the last trial. */
export async function isTrialOver(db: Queryable, target: string, days: number): Promise<boolean> {
  const { rows } = await db.query<{ over: boolean | null }>(
    `select max(made_at) <= clock_timestamp() - make_interval(days => $2) as over
     from reports where target = $1 and kind in ('first-look', 'trial')`,
    [target, days],
  );
  return rows[0]?.over === true;
}

export async function insertReport(
  db: Queryable,
  report: Pick<StoredReport, 'target' | 'kind' | 'askedBy' | 'content'>,
): Promise<number> {
  const { rows } = await db.query<{ id: string }>(
    'insert into reports (target, kind, asked_by, content) values ($1, $2, $3, $4) returning id',
    [report.target, report.kind, report.askedBy, JSON.stringify(report.content)],
  );
  return Number(rows[0]?.id);
}

export async function readReport(db: Queryable, id: number): Promise<StoredReport | null> {
  const { rows } = await db.query('select * from reports where id = $1', [id]);
  return rows[0] ? toReport(rows[0]) : null;
}

function toReport(row: QueryResultRow): StoredReport {
  return {
    id: Number(row['id']),
    target: row['target'],
    kind: row['kind'],
    askedBy: row['asked_by'],
    content: JSON.parse(row['content']),
    madeAt: row['made_at'],
  };
}
