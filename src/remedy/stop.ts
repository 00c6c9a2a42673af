import type { Person, RunState, Text } from '../model.ts';
import type { AuditEvent } from '../state/audit.ts';
import { addThreadLine, wantRunCard } from '../state/cards.ts';
import type { Queryable } from '../state/database.ts';
import { lockRun, moveRun, readApprovals, type StoredApproval, type StoredRun } from '../state/runs.ts';
import { askToStop } from '../state/stops.ts';
import { isLasting, type Plan, readPlan } from './plan.ts';
import { listPeople } from './policy.ts';

export interface StopInput {
  runId: number;
  person: Person;
  reason: string | null;
}

export interface Stopped {
  outcome: StopDecision['is'] | 'no-run';
  answer: Text;
  /** Where its card is drawn again; null where nothing changed. */
  channel: string | null;
  /** For the caller to append at the end of its transaction: whoever locks a run or a card then waits for nobody. */
  event: AuditEvent | null;
}

/**
 * One person's wish that a run ends, in the caller's transaction: what has not begun is withdrawn, what is under way is
 * marked, and its worker, who looks for the mark, cancels its own statement.
 */
export async function stopRun(db: Queryable, input: StopInput): Promise<Stopped> {
  const { runId, person, reason } = input;
  const run = await lockRun(db, runId);
  if (!run)
    return { outcome: 'no-run', answer: [`There is no run R-${runId}. Nothing was done.`], channel: null, event: null };
  const decision = decideStop(run, { person, plan: readPlan(run), approvals: await readApprovals(db, runId) });
  const channel = await carryOut(db, run, input, decision);
  const event = eventOf(run, input, decision);
  return { outcome: decision.is, answer: answerFor(run, decision, reason), channel, event };
}

export type StopDecision =
  | { is: 'withdrawn' | 'stopping' }
  | { is: 'nothing-to-stop' | 'stopping-already' | 'not-allowed'; says: Text };

/** Pure. Whoever may approve it, has approved it or asked for it may stop it. */
export function decideStop(
  run: Pick<StoredRun, 'state' | 'stopBy' | 'askedBy'>,
  at: { person: Person; plan: Pick<Plan, 'limits' | 'policy'> | null; approvals: readonly StoredApproval[] },
): StopDecision {
  const { person, plan, approvals } = at;
  const isUnderWay = run.state === 'running' || run.state === 'recovering';
  if (!isUnderWay && run.state !== 'approved' && run.state !== 'scheduled')
    return { is: 'nothing-to-stop', says: whyNothing(run.state) };
  if (isUnderWay && plan && !isLasting(plan)) {
    const says = [`its statement ends by itself, within ${plan.limits.statementMs / 1000} s`];
    return { is: 'nothing-to-stop', says };
  }
  const approved = approvals.filter((one) => one.verdict === 'yes').map((one) => one.person.userId);
  const may = [...new Set([...(plan?.policy.of ?? []), ...approved, ...(run.askedBy ? [run.askedBy.userId] : [])])];
  if (!may.includes(person.userId)) return { is: 'not-allowed', says: listPeople(may) };
  if (isUnderWay && run.stopBy !== null)
    return { is: 'stopping-already', says: ['asked for by ', { user: run.stopBy }] };
  return { is: isUnderWay ? 'stopping' : 'withdrawn' };
}

function whyNothing(state: RunState): Text {
  if (state === 'proposed') return ['nobody has approved it yet; Deny on its card ends the offer'];
  if (state === 'unknown')
    return ['nobody knows how it ended; ', { code: '/pg help resolve' }, ' says how to close it'];
  return [`it has ended (${state})`];
}

async function carryOut(
  db: Queryable,
  run: StoredRun,
  { person, reason }: StopInput,
  { is }: StopDecision,
): Promise<string | null> {
  if (is !== 'stopping' && is !== 'withdrawn') return null;
  await askToStop(db, run.id, person.userId, reason);
  if (is === 'withdrawn') await moveRun(db, run.id, 'withdrawn', reason);
  const card = await wantRunCard(db, run);
  if (!card) return null;
  const what = `R-${run.id} ${run.runbook} on ${run.target}`;
  const word = is === 'stopping' ? 'is asked to stop, by ' : 'withdrawn by ';
  await addThreadLine(db, card, [`${what} ${word}`, { user: person.userId }, because(reason)]);
  return card.channel;
}

function eventOf(run: StoredRun, input: StopInput, { is }: StopDecision): AuditEvent {
  const kinds = { stopping: 'run.stop-asked', withdrawn: 'run.withdrawn' } as const;
  const kind = is === 'stopping' || is === 'withdrawn' ? kinds[is] : 'run.stop-refused';
  const { id, target, alertId: alert, planHash: plan } = run;
  const detail = { plan, state: run.state, why: is, reason: input.reason };
  return { kind, actor: input.person.userId, target, alert, run: id, detail };
}

function answerFor(run: StoredRun, decision: StopDecision, reason: string | null): Text {
  const what = `R-${run.id} ${run.runbook} on ${run.target}`;
  switch (decision.is) {
    case 'stopping':
      return [`Stopping ${what}${because(reason)}; how it ended appears on its card.`];
    case 'withdrawn':
      return [`Withdrawn: ${what} will not run.`];
    case 'stopping-already':
      return [`${what} is being stopped already, `, ...decision.says, '.'];
    case 'nothing-to-stop':
      return [`Nothing to stop: ${what}: `, ...decision.says, '.'];
    case 'not-allowed':
      return [`Not done: you may not stop ${what}. These may: `, ...decision.says, '.'];
  }
}

function because(reason: string | null): string {
  return reason === null ? '' : `: ${reason}`;
}
