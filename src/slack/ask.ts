import { PgorderlyError } from '../errors.ts';
import type { Text } from '../model.ts';
import { planByHand } from '../remedy/by-hand.ts';
import { openPlan, subjectOf } from '../remedy/plan.ts';
import { proposalLifeSeconds } from '../remedy/policy.ts';
import { appendAudit } from '../state/audit.ts';
import { ensureRunCard, wantAlertCard } from '../state/cards.ts';
import type { Queryable } from '../state/database.ts';
import type { InboxItem } from '../state/inbox.ts';
import { insertRun, type NewRun, openRunOfSubject, readRun, wasDeniedLately } from '../state/runs.ts';
import type { SlackContext } from './context.ts';
import type { Handled } from './handle.ts';

/** `/pg run`: a plan that no job offered; it needs the same approvals, and says that no detector sees it. */
export async function askByHand(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  const { runbook = '', target = '', ...params } = item.payload;
  try {
    const { plan, text, hash, does } = await planByHand(context.remedy, { runbook, target, params });
    return await propose(context, db, {
      item,
      run: {
        alertId: null,
        target,
        runbook,
        risk: plan.risk,
        class: plan.class,
        subject: subjectOf(plan),
        does,
        plan: text,
        planHash: hash,
        askedBy: item.person,
        expiresInSeconds: proposalLifeSeconds(plan.class),
        trace: item.trace,
      },
    });
  } catch (error) {
    if (!(error instanceof PgorderlyError)) throw error;
    return { answer: [`Not done: ${error.message}. ${error.hint ?? ''}`], nudges: [] };
  }
}

/** The same plan once more, after it expired, failed, was refused or denied. */
export async function askAgain(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  const old = await readRun(db, Number(item.payload['runId']));
  if (!old) return { answer: ['That run is not known any more. Nothing was done.'], nudges: [] };
  if (await wasDeniedLately(db, old.planHash))
    return { answer: [`${old.runbook} was denied within the last hour; it is not offered again before.`], nudges: [] };
  const plan = openPlan(old.plan, old.planHash);
  const expiresInSeconds = proposalLifeSeconds(plan.class);
  const run: NewRun = { ...old, askedBy: item.person, expiresInSeconds, trace: item.trace };
  return propose(context, db, { item, run });
}

async function propose(
  context: SlackContext,
  db: Queryable,
  { item, run }: { item: InboxItem; run: NewRun },
): Promise<Handled> {
  const id = await insertRun(db, run);
  if (id === null) {
    const open = await openRunOfSubject(db, run.target, run.subject);
    return { answer: [`R-${open?.id} ${open?.runbook} is ${open?.state} for the same already.`], nudges: [] };
  }
  const channel = context.remedy.targets.get(run.target)?.channel ?? '';
  const card = run.alertId === null ? await ensureRunCard(db, id, channel) : await wantAlertCard(db, run.alertId);
  await appendAudit(db, {
    kind: 'run.asked',
    actor: item.person.userId,
    target: run.target,
    alert: run.alertId,
    run: id,
    detail: { runbook: run.runbook, plan: run.planHash },
  });
  const answer: Text = [
    `Asked for: R-${id} ${run.runbook} on ${run.target}. It runs once it is approved in <#${channel}>.`,
  ];
  return { answer, nudges: card ? [() => context.remedy.nudges.channel(card.channel)] : [] };
}
