import { formatBytes, formatSeconds } from './before-after.ts';
import type { Estimate } from './estimate.ts';
import { formatFigure, labelOf } from './figures.ts';
import type { Plan } from './plan.ts';
import type { Preview } from './preview.ts';

export interface PreviewLine {
  label: string;
  text: string;
  /** SQL, shown as it runs. */
  isCode?: true;
}

/** A plan as a person reads it before approving: the same words in chat and in a terminal. */
export function previewLines({ plan, does, runbook, acts, figures, estimate, verdicts }: Preview): PreviewLine[] {
  const where = plan.database === null ? '' : `, database ${plan.database}`;
  return [
    { label: 'What', text: does },
    { label: 'Where', text: `${plan.target} (${plan.environment}), node ${plan.node}${where}` },
    ...acts.map(({ sql }): PreviewLine => ({ label: 'Will run', text: sql, isCode: true })),
    ...Object.entries(figures).map(([name, value]) => ({ label: labelOf(name), text: formatFigure(name, value) })),
    ...(estimate ? [{ label: 'Takes', text: describeEstimate(estimate) }] : []),
    ...describeNeeds(runbook.needs, figures['size_bytes']),
    { label: 'Locks', text: runbook.locks },
    { label: 'Stops by itself', text: describeStop(plan) },
    { label: 'Undo', text: runbook.undo },
    { label: 'Risk', text: `${plan.risk}; needs ${describePolicy(plan)}` },
    ...verdicts.map(({ ok, says }, index) => ({
      label: index === 0 ? 'Guards' : '',
      text: `${ok ? '✓' : '✗'} ${says}`,
    })),
  ];
}

function describeNeeds(needs: Preview['runbook']['needs'], sizeBytes: number | undefined): PreviewLine[] {
  if (!needs || sizeBytes === undefined) return [];
  const [disk, wal] = [formatBytes(needs.disk * sizeBytes), formatBytes(needs.wal * sizeBytes)];
  return [{ label: 'Needs', text: `up to ${disk} free on disk meanwhile, and writes up to ${wal} of WAL` }];
}

function describeEstimate({ seconds, fromRuns }: Estimate): string {
  const about = `about ${formatSeconds(seconds)}`;
  return fromRuns === 0
    ? `${about}, a guess: it has not been done here yet`
    : `${about}, at the pace of the last ${fromRuns} here`;
}

function describeStop({ stopWhen }: Plan): string {
  if (!stopWhen) return 'never';
  const { waiting, afterMs, standbyLagBytes, slotWalBytes } = stopWhen;
  return `when more than ${waiting} sessions have waited ${formatSeconds(afterMs / 1_000)} behind one that it keeps from locking all out, a standby lags by ${formatBytes(standbyLagBytes)}, or a slot keeps ${formatBytes(slotWalBytes)} of WAL`;
}

function describePolicy({ policy: { people, of } }: Plan): string {
  return `${people} of the ${of.length} who may approve`;
}
