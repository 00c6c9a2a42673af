import { appendAudit } from '../state/audit.ts';
import { addThreadLine, type CardRef, wantRunCard } from '../state/cards.ts';
import { type Queryable, transaction } from '../state/database.ts';
import { findExpiredProposals } from '../state/leases.ts';
import { lockRun, moveRun, type StoredRun } from '../state/runs.ts';
import type { RemedyContext } from './context.ts';

/** Ends what was proposed, or approved and not begun, when its time is over; its card offers to ask again. */
export async function expireProposals(context: RemedyContext): Promise<void> {
  for (const id of await findExpiredProposals(context.pool)) {
    const channel = await transaction(context.pool, async (db) => {
      const run = await lockRun(db, id);
      if (!run?.isExpired || !['proposed', 'approved', 'scheduled'].includes(run.state)) return null;
      return (await expireRun(db, run))?.channel ?? null;
    });
    if (channel !== null) await context.nudges.channel(channel);
  }
}

/** Ends one run whose row the caller has locked; returns the card that has to be drawn again. */
export async function expireRun(db: Queryable, run: StoredRun): Promise<CardRef | null> {
  const { id, runbook, state, target, alertId: alert, planHash: plan } = run;
  await moveRun(db, id, 'expired', null);
  const card = await wantRunCard(db, run);
  if (card) await addThreadLine(db, card, [`R-${id} ${runbook} expired: it was ${state}, and its time is over.`]);
  await appendAudit(db, { kind: 'run.expired', actor: 'pgorderly', target, alert, run: id, detail: { plan } });
  return card;
}
