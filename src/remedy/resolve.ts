import type { Person, Text } from '../model.ts';
import { appendAudit } from '../state/audit.ts';
import { addThreadLine, wantRunCard } from '../state/cards.ts';
import type { Queryable } from '../state/database.ts';
import { lockRun, moveRun, type StoredRun } from '../state/runs.ts';
import { readPlan } from './plan.ts';
import { listPeople } from './policy.ts';

export interface ResolveInput {
  runId: number;
  person: Person;
  verdict: 'succeeded' | 'failed';
  /** How the person knows. */
  reason: string;
}

export interface Resolved {
  answer: Text;
  /** Where its card is drawn again; null where nothing changed. */
  channel: string | null;
}

/** Closes a run of which nobody knew how it ended, by the word of one who looked; in the caller's transaction. */
export async function resolveRun(db: Queryable, input: ResolveInput): Promise<Resolved> {
  const run = await lockRun(db, input.runId);
  if (!run) return { answer: [`There is no run R-${input.runId}. Nothing was changed.`], channel: null };
  const refusal = whyNot(run, input.person);
  const channel = refusal ? null : await close(db, run, input);
  await audit(db, run, input, refusal ? 'run.resolve-refused' : 'run.resolved');
  if (refusal) return { answer: ['Not done: ', ...refusal, '. Nothing was changed.'], channel };
  return { answer: [`Closed: ${nameOf(run)} is ${input.verdict}.`], channel };
}

async function close(db: Queryable, run: StoredRun, { verdict, person, reason }: ResolveInput): Promise<string | null> {
  await moveRun(db, run.id, verdict, `closed by hand: ${reason}`);
  const card = await wantRunCard(db, run);
  const says: Text = [`${nameOf(run)} ${verdict}, by the word of `, { user: person.userId }, `: ${reason}`];
  if (card) await addThreadLine(db, card, says);
  return card?.channel ?? null;
}

function nameOf({ id, runbook, target }: StoredRun): string {
  return `R-${id} ${runbook} on ${target}`;
}

function whyNot(run: StoredRun, person: Person): Text | null {
  const what = `R-${run.id} ${run.runbook}`;
  if (run.state !== 'unknown') return [`${what} is ${run.state}; only what ended as unknown is closed by hand`];
  const approvers = readPlan(run)?.policy.of ?? [];
  if (approvers.includes(person.userId)) return null;
  return [`only those who may approve ${what} may close it: `, ...listPeople(approvers)];
}

async function audit(db: Queryable, run: StoredRun, input: ResolveInput, kind: string): Promise<void> {
  const { id, target, alertId: alert, planHash: plan } = run;
  const detail = { plan, state: run.state, verdict: input.verdict, reason: input.reason };
  await appendAudit(db, { kind, actor: input.person.userId, target, alert, run: id, detail });
}
