import type { Checked } from '../detect/check.ts';
import type { AnyJob } from '../detect/job.ts';
import type { Finding, Text } from '../model.ts';
import type { RemedyContext } from '../remedy/context.ts';
import { syncProposals, withdrawProposals } from '../remedy/propose.ts';
import { applyTransition, findShownTwin, lockOpenAlerts, readAlert } from '../state/alerts.ts';
import { appendAudit } from '../state/audit.ts';
import { addThreadLine, type CardRef, ensureAlertCard, hasCard, wantAlertCard } from '../state/cards.ts';
import { finishCheck, lockCheck } from '../state/checks.ts';
import { type Queryable, transaction } from '../state/database.ts';
import { readRunsOfAlert } from '../state/runs.ts';
import { appendSamples } from '../state/samples.ts';
import { rememberTarget } from '../state/targets.ts';
import { recordStorm } from './storm.ts';
import { type Transition, track } from './track.ts';
import { tellWholeEvidence } from './whole-evidence.ts';

export interface RecordInput {
  context: RemedyContext;
  job: AnyJob;
  afterSeconds: number;
  checked: Checked;
}

/** Turns a check's result into alerts, proposals and cards, in one transaction; then wakes who has to show them. */
export async function recordCheck(input: RecordInput): Promise<Transition[]> {
  const { context, checked } = input;
  const target = context.targets.get(checked.result.target);
  if (!target) return [];
  const done = await transaction(context.pool, async (db) => {
    await lockCheck(db, checked.result.job, target.name);
    const transitions = await applyAll(db, input, target.channel);
    const identity = [...checked.probes.values()][0]?.systemIdentifier;
    if (identity) await rememberTarget(db, target.name, identity);
    await appendSamples(db, { target: target.name, job: checked.result.job }, checked.samples);
    await finishCheck(db, checked);
    return { ...transitions, againInSeconds: await recordStorm(db, checked) };
  });
  if (done.isShown) await context.nudges.channel(target.channel);
  if (done.againInSeconds !== null) await context.nudges.check(checked.result.job, target.name, done.againInSeconds);
  return done.transitions;
}

async function applyAll(
  db: Queryable,
  input: RecordInput,
  channel: string,
): Promise<{ transitions: Transition[]; isShown: boolean }> {
  const { result } = input.checked;
  const alerts = await lockOpenAlerts(db, result.job, result.target);
  const { rows } = await db.query<{ now: Date }>('select clock_timestamp() as now');
  const transitions = track({
    alerts,
    result,
    afterSeconds: input.afterSeconds,
    clearSamples: input.job.clear.samples,
    now: rows[0]?.now ?? new Date(),
  });
  let isShown = false;
  for (const transition of transitions) {
    const wasStale = alerts.some((alert) => 'id' in transition && alert.id === transition.id && alert.isStale);
    isShown = (await apply(db, input, { transition, channel, wasStale })) || isShown;
  }
  return { transitions, isShown };
}

interface Applied {
  transition: Transition;
  channel: string;
  wasStale: boolean;
}

/** Writes one transition with all that follows from it; returns whether its card has to be drawn again. */
async function apply(db: Queryable, input: RecordInput, applied: Applied): Promise<boolean> {
  const { transition, wasStale } = applied;
  const before = 'id' in transition && transition.id !== null ? await readAlert(db, transition.id) : null;
  const id = await applyTransition(db, transition);
  if (id === null) return false;
  switch (transition.reason) {
    case 'opened':
      if (input.job.delivery === 'page') await audit(db, 'alert.opened', id, transition.finding);
      return show(db, input, { id, finding: transition.finding, channel: applied.channel, isNew: true });
    case 'worsened':
    case 'improved':
    case 'unchanged': {
      const { finding } = transition;
      if (!(await hasCard(db, id))) return show(db, input, { id, finding, channel: applied.channel, isNew: false });
      const isOffered = await offer(db, input, id, finding);
      const isOther = transition.reason !== 'unchanged' || before?.finding.title !== finding.title;
      if (!isOffered && !isOther && !wasStale) return false;
      const isWorse = transition.reason === 'worsened';
      const card = await redraw(db, id, isWorse ? ['Worse: ', finding.title] : null);
      if (card && isWorse) await tellWholeEvidence(db, card, finding);
      return true;
    }
    case 'resolved':
      await withdrawProposals(db, await readRunsOfAlert(db, id));
      await redraw(db, id, ['Resolved.']);
      if (input.job.delivery === 'page') await audit(db, 'alert.resolved', id, before?.finding ?? null);
      return true;
    case 'stale':
      if (!wasStale) await redraw(db, id, null);
      return !wasStale;
    case 'lingering':
    case 'clearing':
      if (wasStale) await redraw(db, id, null);
      return wasStale;
    default:
      return false;
  }
}

/**
 * Gives an alert its card. Two jobs that find the same session are one trouble: one alert becomes a line in the
 * thread of the one that says it better, and gets a card of its own only if it outlives it.
 */
async function show(
  db: Queryable,
  input: RecordInput,
  alert: { id: number; finding: Finding; channel: string; isNew: boolean },
): Promise<boolean> {
  const { id, finding, channel } = alert;
  // It is a line of the next report, which opens its plan.
  if (input.job.delivery === 'report') return false;
  const earlier = await findShownTwin(db, finding, input.job.toldBy ?? []);
  if (earlier === null) {
    const card = await ensureAlertCard(db, id, channel);
    await offer(db, input, id, finding);
    await tellWholeEvidence(db, card, finding);
    return true;
  }
  if (alert.isNew) await redraw(db, earlier, [`${finding.job} finds it too (A-${id}): ${finding.title}`]);
  return alert.isNew;
}

async function offer(db: Queryable, input: RecordInput, alertId: number, finding: Finding): Promise<boolean> {
  const probe = input.checked.probes.get(finding.node);
  return probe ? syncProposals(db, { context: input.context, alertId, finding, probe }) : false;
}

async function redraw(db: Queryable, alertId: number, line: Text | null): Promise<CardRef | null> {
  const card = await wantAlertCard(db, alertId);
  if (card && line) await addThreadLine(db, card, line);
  return card;
}

async function audit(db: Queryable, kind: string, alert: number, finding: Finding | null): Promise<void> {
  const { job = null, fingerprint = null, severity = null, target = null } = finding ?? {};
  await appendAudit(db, { kind, actor: 'pgorderly', target, alert, detail: { job, fingerprint, severity } });
}
