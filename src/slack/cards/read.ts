import { readAlert, type StoredAlert } from '../../state/alerts.ts';
import type { Queryable } from '../../state/database.ts';
import { readReport, type StoredReport } from '../../state/reports.ts';
import { readApprovals, readRun, readRunsOfAlert, type StoredApproval, type StoredRun } from '../../state/runs.ts';
import { readWorstOfAlert, type StormSample } from '../../state/storm-samples.ts';
import { readPause } from '../../state/switches.ts';

export interface ShownRun extends StoredRun {
  approvals: StoredApproval[];
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
    runs: await Promise.all(runs.map(async (one) => ({ ...one, approvals: await readApprovals(db, one.id) }))),
    report: card.reportId === null ? null : await readReport(db, card.reportId),
    isPaused: (await readPause(db)) !== null,
    worst: card.alertId === null ? null : await readWorstOfAlert(db, card.alertId),
  };
}
