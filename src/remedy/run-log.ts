import type { Text } from '../model.ts';
import { appendAudit } from '../state/audit.ts';
import { addThreadLine, wantRunCard } from '../state/cards.ts';
import { transaction } from '../state/database.ts';
import { finishRun, handOver, type RunEnd } from '../state/leases.ts';
import type { StoredRun } from '../state/runs.ts';
import { findWaiting } from '../state/schedule.ts';
import type { RemedyContext } from './context.ts';

/** Tells the thread of a run's card what happened. */
export async function tell(context: RemedyContext, run: StoredRun, line: Text): Promise<void> {
  const card = await transaction(context.pool, async (db) => {
    const found = await wantRunCard(db, run);
    if (found) await addThreadLine(db, found, line);
    return found;
  });
  if (card) await context.nudges.channel(card.channel);
}

/** Ends a run in the state, the audit and the thread at once; does nothing where another worker owns it by now. */
export async function endRun(context: RemedyContext, run: StoredRun, end: RunEnd, lines: Text[]): Promise<void> {
  const ended = await transaction(context.pool, async (db) => {
    if (!(await finishRun(db, run, end))) return null;
    const found = await wantRunCard(db, run);
    if (found) for (const line of lines) await addThreadLine(db, found, line);
    // Whom it kept waiting: the first may begin now, and the cards of the others name another one.
    const waiting = await findWaiting(db, run);
    const cards = [found];
    for (const one of waiting) cards.push(await wantRunCard(db, one));
    await appendAudit(db, {
      kind: `run.${end.state}`,
      actor: 'pgorderly',
      target: run.target,
      alert: run.alertId,
      run: run.id,
      detail: { runbook: run.runbook, plan: run.planHash, outcome: end.outcome, beforeAfter: end.beforeAfter },
    });
    return { cards, next: waiting[0]?.id ?? null };
  });
  const { state, outcome } = end;
  const event = ended ? 'run ended' : 'run belongs to another worker by now; nothing was done';
  context.log.info({ run: run.id, state, outcome, trace: run.trace }, event);
  if (!ended) return;
  if (ended.next !== null) await context.nudges.run(ended.next);
  for (const channel of new Set(ended.cards.flatMap((card) => card?.channel ?? [])))
    await context.nudges.channel(channel);
}

/** Another worker looks at it at once: what lasts is not waited for when this process stops. */
export async function leaveToOthers(context: RemedyContext, run: StoredRun): Promise<void> {
  if (await handOver(context.pool, run)) await context.nudges.run(run.id);
}

/** The run's card is drawn again. */
export async function redraw(context: RemedyContext, run: StoredRun): Promise<void> {
  const card = await wantRunCard(context.pool, run);
  if (card) await context.nudges.channel(card.channel);
}
