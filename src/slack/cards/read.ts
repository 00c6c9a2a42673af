import { readPlan } from '../../remedy/plan.ts';
import { readAlert, type StoredAlert } from '../../state/alerts.ts';
import type { Queryable } from '../../state/database.ts';
import { readReport, type StoredReport } from '../../state/reports.ts';
import { readApprovals, readRun, readRunsOfAlert, type StoredApproval, type StoredRun } from '../../state/runs.ts';
import { findRunAhead } from '../../state/schedule.ts';
import { readWorstOfAlert, type StormSample } from '../../state/storm-samples.ts';
import { readPause } from '../../state/switches.ts';

export interface ShownRun extends StoredRun {
  approvals: StoredApproval[];
  /** The run that an approved one waits for. */
  ahead: number | null;
  /** What it is to the run that it follows. */
  followsAs: 'cleanup' | 'undo' | null;
}

/** All that a card shows, as it is true now. */
export interface CardFacts {
  alert: StoredAlert | null;
  runs: ShownRun[];
  report: StoredReport | null;
  isPaused: boolean;
  /** Of the alert's storm, if it was one. */
  worst: StormSample | null;
}

export async function readCardFacts(
  db: Queryable,
  card: { alertId: number | null; runId: number | null; reportId: number | null },
): Promise<CardFacts> {
  const run = card.runId === null ? null : await readRun(db, card.runId);
  const runs = card.alertId === null ? [run].filter((one) => one !== null) : await readRunsOfAlert(db, card.alertId);
  return {
    alert: card.alertId === null ? null : await readAlert(db, card.alertId),
    runs: await Promise.all(runs.map((one) => readShown(db, one))),
    report: card.reportId === null ? null : await readReport(db, card.reportId),
    isPaused: (await readPause(db)) !== null,
    worst: card.alertId === null ? null : await readWorstOfAlert(db, card.alertId),
  };
}

async function readShown(db: Queryable, run: StoredRun): Promise<ShownRun> {
  return {
    ...run,
    approvals: await readApprovals(db, run.id),
    ahead: run.state === 'approved' ? await findRunAhead(db, run) : null,
    followsAs: run.follows === null ? null : await readKinship(db, run, run.follows),
  };
}

/** The runbook of the run that it follows tells which of its steps names this one's. */
async function readKinship(db: Queryable, { runbook }: StoredRun, follows: number): Promise<ShownRun['followsAs']> {
  const first = await readRun(db, follows);
  const steps = (first && readPlan(first)?.steps) ?? [];
  return steps.some(({ step, runbook: name }) => step === 'undo' && name === runbook) ? 'undo' : 'cleanup';
}
