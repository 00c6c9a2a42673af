import type { Text } from '../model.ts';
import { decideRun } from '../remedy/decide.ts';
import { acknowledgeAlert, readAlert } from '../state/alerts.ts';
import { appendAudit } from '../state/audit.ts';
import { addThreadLine, wantAlertCard, wantProposalCards } from '../state/cards.ts';
import type { Queryable } from '../state/database.ts';
import type { InboxItem } from '../state/inbox.ts';
import { setPause } from '../state/switches.ts';
import { askAgain, askByHand } from './ask.ts';
import type { SlackContext } from './context.ts';

export interface Handled {
  answer: Text;
  /** Done after the transaction: wakes who has to show or run what was decided. */
  nudges: (() => Promise<void>)[];
}

/** What can be asked for; anything that changes something is one of these. */
export type ItemKind = 'approve' | 'deny' | 'acknowledge' | 'ask-again' | 'run' | 'pause' | 'resume';

type Handler = (context: SlackContext, db: Queryable, item: InboxItem) => Promise<Handled>;

const handlers: Record<ItemKind, Handler> = {
  approve: (context, db, item) => decideItem(context, db, { item, verdict: 'yes' }),
  deny: (context, db, item) => decideItem(context, db, { item, verdict: 'no' }),
  acknowledge,
  'ask-again': askAgain,
  run: askByHand,
  pause,
  resume,
};

/** Decides a stored item, in the caller's transaction. */
export async function handleItem(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  return handlers[item.kind as ItemKind](context, db, item);
}

async function decideItem(
  context: SlackContext,
  db: Queryable,
  { item, verdict }: { item: InboxItem; verdict: 'yes' | 'no' },
): Promise<Handled> {
  const { runId, planHash, typedTarget, reason } = item.payload;
  const decided = await decideRun(db, {
    runId: Number(runId),
    planHash: planHash ?? '',
    person: item.person,
    verdict,
    typed: typedTarget === undefined ? null : { target: typedTarget, reason: reason ?? '' },
    trace: item.trace,
  });
  const { nudges } = context.remedy;
  const { channel } = decided;
  return {
    answer: decided.answer,
    nudges: [
      ...(channel === null ? [] : [() => nudges.channel(channel)]),
      ...(decided.decision === 'approved' ? [() => nudges.run(Number(runId))] : []),
    ],
  };
}

async function acknowledge(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  const id = Number(item.payload['alertId']);
  const alert = await readAlert(db, id);
  if (!alert || !(await acknowledgeAlert(db, id, item.person.userId)))
    return { answer: [`A-${id} is resolved, or somebody acknowledged it before.`], nudges: [] };
  const card = await wantAlertCard(db, id);
  if (card) await addThreadLine(db, card, ['Acknowledged by ', { user: item.person.userId }]);
  await appendAudit(db, {
    kind: 'alert.acknowledged',
    actor: item.person.userId,
    target: alert.target,
    alert: id,
    detail: {},
  });
  return {
    answer: [`You acknowledged A-${id}.`],
    nudges: card ? [() => context.remedy.nudges.channel(card.channel)] : [],
  };
}

async function pause(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  const isNew = await setPause(db, true, item.person.userId, item.payload['reason'] || null);
  await auditSwitch(db, item, 'actions.paused');
  const answer: Text = isNew
    ? ['Paused: no new action starts on any target. Approvers end it with ', { code: '/pg resume' }, '.']
    : ['Actions were paused already.'];
  return { answer, nudges: await redrawProposals(context, db) };
}

async function resume(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  if (!context.approvers.has(item.person.userId)) {
    await auditSwitch(db, item, 'actions.resume-refused');
    return { answer: ['Not done: only approvers may resume. Anybody may pause.'], nudges: [] };
  }
  const isNew = await setPause(db, false, item.person.userId, null);
  await auditSwitch(db, item, 'actions.resumed');
  return {
    answer: [isNew ? 'Resumed: approved actions run again.' : 'Actions were not paused.'],
    nudges: await redrawProposals(context, db),
  };
}

async function auditSwitch(db: Queryable, item: InboxItem, kind: string): Promise<void> {
  await appendAudit(db, { kind, actor: item.person.userId, detail: { reason: item.payload['reason'] ?? null } });
}

async function redrawProposals(context: SlackContext, db: Queryable): Promise<Handled['nudges']> {
  const channels = await wantProposalCards(db);
  return channels.map((channel) => () => context.remedy.nudges.channel(channel));
}
