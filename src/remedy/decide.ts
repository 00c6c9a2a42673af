import type { Person, Text } from '../model.ts';
import { appendAudit } from '../state/audit.ts';
import { addThreadLine, wantRunCard } from '../state/cards.ts';
import type { Queryable } from '../state/database.ts';
import {
  addApproval,
  type LockedRun,
  lockRun,
  moveRun,
  readApprovals,
  type StoredRun,
  traceRun,
} from '../state/runs.ts';
import { scheduleRun } from '../state/schedule.ts';
import { readPause } from '../state/switches.ts';
import type { RemedyContext } from './context.ts';
import { expireRun } from './expire.ts';
import { readPlan } from './plan.ts';
import { type Decision, decide, type Wait } from './policy.ts';
import { endOfWait, openingOf } from './schedule.ts';
import { formatMoment } from './window.ts';

export interface DecideInput {
  runId: number;
  /** The plan's hash as the pressed button carried it. */
  planHash: string;
  person: Person;
  verdict: 'yes' | 'no';
  typed: { target: string; reason: string } | null;
  /** Follows the click to its outcome in the logs. */
  trace: string;
}

export interface Decided {
  decision: Decision['reason'] | 'no-run' | 'plan-broken';
  answer: Text;
  channel: string | null;
}

/** What changes the run; all else is only answered. */
const taken: ReadonlySet<Decided['decision']> = new Set(['approved', 'scheduled', 'counted', 'denied']);

/**
 * One person's yes or no, in the caller's transaction. The run's row is locked before anything is read: without it two
 * approvers at once each see only themselves, and the proposal is stuck for ever.
 */
export async function decideRun(
  context: Pick<RemedyContext, 'targets'>,
  db: Queryable,
  input: DecideInput,
): Promise<Decided> {
  const run = await lockRun(db, input.runId);
  if (!run)
    return { decision: 'no-run', answer: [`There is no run R-${input.runId}. Nothing was done.`], channel: null };
  const plan = readPlan(run);
  if (!plan) return refuseBrokenPlan(db, run, input);
  const decision = decide({
    state: run.state,
    isExpired: run.isExpired,
    pause: await readPause(db),
    planHash: run.planHash,
    pressedHash: input.planHash,
    person: input.person,
    verdict: input.verdict,
    typed: input.typed,
    target: run.target,
    askedBy: run.askedBy,
    policy: plan.policy,
    approvals: await readApprovals(db, run.id),
    wait: waitOf(context, run),
  });
  const isTaken = taken.has(decision.reason);
  const channel = isTaken ? await record(db, run, input, decision) : null;
  // A late click ends the offer at once: its card must not show a button that is worth nothing.
  const expired = decision.reason === 'expired' ? await expireRun(db, run) : null;
  await audit(db, run, input, { kind: isTaken ? `run.${decision.reason}` : 'run.click-refused', why: decision.reason });
  const answer = answerFor(run, decision, timezoneOf(context, run));
  return { decision: decision.reason, answer, channel: channel ?? expired?.channel ?? null };
}

async function refuseBrokenPlan(db: Queryable, run: StoredRun, input: DecideInput): Promise<Decided> {
  await audit(db, run, input, { kind: 'run.click-refused', why: 'plan-broken' });
  const says = `Not done: the stored plan of R-${run.id} is not the one that was proposed; somebody changed it. Nothing was run.`;
  return { decision: 'plan-broken', answer: [says], channel: null };
}

function waitOf(context: Pick<RemedyContext, 'targets'>, run: LockedRun): Wait | null {
  const opening = openingOf(context, run);
  if (opening.isOpen) return null;
  const isSoon = opening.opensAt !== null && opening.opensAt < endOfWait(run);
  return { why: opening.why, until: isSoon ? opening.opensAt : null };
}

function timezoneOf({ targets }: Pick<RemedyContext, 'targets'>, { target }: StoredRun): string {
  return targets.get(target)?.calendar.timezone ?? 'UTC';
}

async function record(db: Queryable, run: LockedRun, input: DecideInput, decision: Decision): Promise<string | null> {
  await addApproval(db, run.id, input.person, input.verdict, input.typed?.reason ?? null);
  if (decision.reason === 'approved') await moveRun(db, run.id, 'approved', null);
  if (decision.reason === 'scheduled')
    await scheduleRun(db, run.id, { startsAt: decision.startsAt, expiresAt: endOfWait(run) });
  await traceRun(db, run.id, input.trace);
  if (decision.reason === 'denied') await moveRun(db, run.id, 'denied', null);
  const card = await wantRunCard(db, run);
  if (!card) return null;
  await addThreadLine(db, card, lineFor(run, input, decision));
  return card.channel;
}

async function audit(
  db: Queryable,
  run: StoredRun,
  { person, typed }: DecideInput,
  { kind, why }: { kind: string; why: string },
): Promise<void> {
  const { target, alertId: alert, planHash: plan } = run;
  const detail = { plan, why, typed: typed?.reason ?? null };
  await appendAudit(db, { kind, actor: person.userId, target, alert, run: run.id, detail });
}

function lineFor(run: StoredRun, input: DecideInput, decision: Decision): Text {
  const who = { user: input.person.userId };
  const what = `R-${run.id} ${run.runbook} on ${run.target}`;
  if (decision.reason === 'denied') return [`${what}, denied by `, who];
  const isAsker = run.askedBy?.userId === input.person.userId;
  const alone = input.typed ? `${isAsker ? ', alone' : ''}, reason: ${input.typed.reason}` : '';
  const missing = decision.reason === 'counted' ? `; ${decision.missing} more needed` : '';
  const wait = decision.reason === 'scheduled' ? `; it waits, since ${run.target} is ${decision.why}` : '';
  return [`${what}, approved by `, who, alone, missing, wait];
}

function answerFor(run: StoredRun, decision: Decision, timezone: string): Text {
  const what = `R-${run.id} ${run.runbook}`;
  switch (decision.reason) {
    case 'approved':
      return [`Approved: ${what} on ${run.target} runs now; its steps appear in the thread.`];
    case 'scheduled':
      return [
        `Approved: ${what} on ${run.target} starts ${formatMoment(decision.startsAt, timezone)}, since ${run.target} is ${decision.why}. `,
        { code: `/pg stop R-${run.id}` },
        ' withdraws it.',
      ];
    case 'counted':
      return [`Your approval of ${what} is recorded; ${decision.missing} more needed.`];
    case 'denied':
      return [`Denied: ${what} will not run. It is not offered again for an hour.`];
    case 'needs-typing':
      return [`Not done: you asked for ${what} yourself. To approve it alone, use its button and type ${run.target}.`];
    case 'already-decided':
      return [`Your click changed nothing, ${what} does not wait for it any more: `, ...decision.says, '.'];
    default:
      return ['Not done: ', ...decision.says, '. Nothing was run. See ', { code: '/pg help approve' }, '.'];
  }
}
