import { PgorderlyError } from '../errors.ts';
import type { Text } from '../model.ts';
import { planByHand } from '../remedy/by-hand.ts';
import { openPlan, type Plan } from '../remedy/plan.ts';
import { proposalLifeSeconds } from '../remedy/policy.ts';
import { newRun, planBest } from '../remedy/propose.ts';
import { readAlert } from '../state/alerts.ts';
import { appendAudit } from '../state/audit.ts';
import { ensureRunCard, wantAlertCard } from '../state/cards.ts';
import type { Queryable } from '../state/database.ts';
import type { InboxItem } from '../state/inbox.ts';
import { insertRun, type NewRun, openRunOfSubject, readRun, wasDeniedLately } from '../state/runs.ts';
import { canAskAgain } from './cards/run-blocks.ts';
import type { SlackContext } from './context.ts';
import type { Handled } from './handle.ts';

/** `/pg run`: a plan that no job offered; it needs the same approvals, and says that no detector sees it. */
export async function askByHand(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  const { runbook = '', target = '' } = item.payload;
  try {
    const params = JSON.parse(item.payload['params'] ?? '{}') as Record<string, string>;
    const { plan, text, hash, does } = await planByHand(context.remedy, { runbook, target, params });
    return await propose(context, db, {
      item,
      run: newRun(
        plan,
        { text, hash },
        { does, alertId: null, askedBy: item.person, follows: null, trace: item.trace },
      ),
    });
  } catch (error) {
    if (!(error instanceof PgorderlyError)) throw error;
    return refused(`${error.message}.${error.hint ? ` ${error.hint}` : ''}`);
  }
}

/** What a report's line offers, as its plan was shown: with a card of its own, since the alert has none. */
export async function askForReported(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  const { alertId, planHash } = item.payload;
  const alert = await readAlert(db, Number(alertId));
  if (!alert || alert.state === 'resolved') return refused(`A-${alertId} is resolved, its job finds it no more.`);
  const best = await planBest(context.remedy, alert.id, alert.finding);
  if (!best) return refused(`nothing that A-${alertId} offers may be run on ${alert.target}.`);
  if (best.hash !== planHash) return refused('the plan has changed since it was shown: open it again.');
  if (await wasDeniedLately(db, best.hash)) return refused('it was denied within the last hour.');
  const asked = { does: best.offer.does, alertId: alert.id, askedBy: item.person, follows: null, trace: item.trace };
  return propose(context, db, { item, run: newRun(best.plan, best, asked) });
}

/** The same plan once more, after it expired, failed, was refused or denied. */
export async function askAgain(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  const old = await readRun(db, Number(item.payload['runId']));
  if (!old) return refused('that run is not known any more.');
  const what = `R-${old.id} ${old.runbook}`;
  if (!canAskAgain(old)) return refused(`${what} is ${old.state}; only what ended without success is asked for again.`);
  if (await wasDeniedLately(db, old.planHash))
    return refused(`${what} was denied within the last hour; it is not offered again before.`);
  const alert = old.alertId === null ? null : await readAlert(db, old.alertId);
  if (alert?.state === 'resolved') return refused(`what ${what} was for is resolved (A-${alert.id}).`);
  const plan = openPlan(old.plan, old.planHash);
  if (!isStillPolicy(context, plan))
    return refused(`who must approve ${old.runbook} on ${old.target} has changed since; ask with /pg run.`);
  const expiresInSeconds = proposalLifeSeconds(plan.class);
  const run: NewRun = { ...old, askedBy: item.person, expiresInSeconds, trace: item.trace };
  return propose(context, db, { item, run });
}

function isStillPolicy({ remedy }: SlackContext, { target, risk, policy }: Plan): boolean {
  return JSON.stringify(remedy.targets.get(target)?.policyFor(risk) ?? null) === JSON.stringify(policy);
}

function refused(why: string): Handled {
  return { answer: [`Not done: ${why} Nothing was run.`], nudges: [] };
}

async function propose(
  context: SlackContext,
  db: Queryable,
  { item, run }: { item: InboxItem; run: NewRun },
): Promise<Handled> {
  const id = await insertRun(db, run);
  if (id === null) {
    const open = await openRunOfSubject(db, run.target, run.subject);
    return refused(`R-${open?.id} ${open?.runbook} is ${open?.state} for the same already.`);
  }
  const channel = context.remedy.targets.get(run.target)?.channel ?? '';
  const shownBy = run.alertId === null ? null : await wantAlertCard(db, run.alertId);
  const card = shownBy ?? (await ensureRunCard(db, id, channel));
  await appendAudit(db, {
    kind: 'run.asked',
    actor: item.person.userId,
    target: run.target,
    alert: run.alertId,
    run: id,
    detail: { runbook: run.runbook, plan: run.planHash },
  });
  const answer: Text = [
    `Asked for: R-${id} ${run.runbook} on ${run.target}. It runs once it is approved on its card in `,
    { channel },
    '.',
  ];
  return { answer, nudges: [() => context.remedy.nudges.channel(card.channel)] };
}
