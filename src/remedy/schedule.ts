import { appendAudit } from '../state/audit.ts';
import { addThreadLine, type CardRef, wantRunCard } from '../state/cards.ts';
import { type Queryable, transaction } from '../state/database.ts';
import { type LockedRun, lockRun, moveRun, readRun } from '../state/runs.ts';
import { findScheduledRuns, scheduleRun } from '../state/schedule.ts';
import { readPause } from '../state/switches.ts';
import type { RemedyContext } from './context.ts';
import { findOpening, formatMoment, isBound, type Opening } from './window.ts';

/** DEFAULTS: what was approved for later is approved for a week. */
const scheduledForMs = 7 * 86_400_000;

/** Whether a run may begin now; what is bound by no window always may. */
export function openingOf(context: Pick<RemedyContext, 'targets'>, run: LockedRun): Opening {
  const calendar = context.targets.get(run.target)?.calendar;
  return calendar && isBound(run.class) ? findOpening(calendar, run.now) : { isOpen: true, why: null };
}

/** Until when a run that has to wait is approved: once for all, however often its window closes before its turn. */
export function endOfWait({ startsAt, expiresAt, now }: LockedRun): Date {
  return startsAt === null ? new Date(now.getTime() + scheduledForMs) : expiresAt;
}

/**
 * In the worker, before it claims: what was approved, and finds its window closed by now, waits for the next one. What
 * would wait longer than its approval lasts is left to the guard, which refuses it.
 */
export async function holdRun(context: RemedyContext, id: number): Promise<void> {
  const seen = await readRun(context.pool, id);
  if (seen?.state !== 'approved' || !isBound(seen.class)) return;
  const card = await transaction(context.pool, async (db) => {
    const run = await lockRun(db, id);
    if (run?.state !== 'approved' || run.isExpired) return null;
    const opening = openingOf(context, run);
    if (opening.isOpen || !opening.opensAt || opening.opensAt >= endOfWait(run)) return null;
    return postpone(context, db, { run, why: opening.why, startsAt: opening.opensAt });
  });
  if (card) await context.nudges.channel(card.channel);
}

/**
 * In the sweep: scheduled runs whose window is open begin, and the others learn when the configuration has another time
 * for them by now. While actions are paused they wait on, since they would be refused.
 */
export async function beginScheduled(context: RemedyContext): Promise<void> {
  if (await readPause(context.pool)) return;
  for (const id of await findScheduledRuns(context.pool)) {
    const moved = await transaction(context.pool, async (db) => {
      const run = await lockRun(db, id);
      if (run?.state !== 'scheduled' || run.isExpired) return null;
      const opening = openingOf(context, run);
      if (opening.isOpen) return { card: await begin(db, run), isDue: true };
      const isSame = opening.opensAt?.getTime() === run.startsAt?.getTime();
      if (isSame || !opening.opensAt) return null;
      return { card: await postpone(context, db, { run, why: opening.why, startsAt: opening.opensAt }), isDue: false };
    });
    if (moved?.isDue) await context.nudges.run(id);
    if (moved?.card) await context.nudges.channel(moved.card.channel);
  }
}

async function begin(db: Queryable, run: LockedRun): Promise<CardRef | null> {
  await moveRun(db, run.id, 'approved', null);
  const card = await wantRunCard(db, run);
  if (card) await addThreadLine(db, card, [`R-${run.id} ${run.runbook} begins: its window is open.`]);
  await audit(db, run, { kind: 'run.due', detail: {} });
  return card;
}

async function postpone(
  context: RemedyContext,
  db: Queryable,
  { run, why, startsAt }: { run: LockedRun; why: string; startsAt: Date },
): Promise<CardRef | null> {
  await scheduleRun(db, run.id, { startsAt, expiresAt: endOfWait(run) });
  const card = await wantRunCard(db, run);
  const when = formatMoment(startsAt, context.targets.get(run.target)?.calendar.timezone ?? 'UTC');
  if (card) await addThreadLine(db, card, [`R-${run.id} ${run.runbook} waits until ${when}: ${run.target} is ${why}.`]);
  await audit(db, run, { kind: 'run.scheduled', detail: { why, startsAt: startsAt.toISOString() } });
  return card;
}

async function audit(
  db: Queryable,
  { id, target, alertId: alert, planHash: plan }: LockedRun,
  { kind, detail }: { kind: string; detail: Record<string, string> },
): Promise<void> {
  await appendAudit(db, { kind, actor: 'pgorderly', target, alert, run: id, detail: { plan, ...detail } });
}
