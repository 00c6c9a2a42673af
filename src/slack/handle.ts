import { makeReport, reportingJobs } from '../alerts/report.ts';
import type { Text } from '../model.ts';
import { decideRun } from '../remedy/decide.ts';
import { resolveRun } from '../remedy/resolve.ts';
import { stopRun } from '../remedy/stop.ts';
import { acknowledgeAlert, readAlert, type StoredAlert } from '../state/alerts.ts';
import { appendAudit } from '../state/audit.ts';
import { addThreadLine, wantAlertCard } from '../state/cards.ts';
import type { Queryable } from '../state/database.ts';
import type { InboxItem } from '../state/inbox.ts';
import { askAgain, askByHand, askForReported } from './ask.ts';
import type { SlackContext } from './context.ts';
import { pause, resume } from './pause.ts';

export interface Handled {
  answer: Text;
  /** Done after the transaction: wakes who has to show or run what was decided. */
  nudges: (() => Promise<void>)[];
}

/** What can be asked for; anything that changes something is one of these. */
export type ItemKind =
  | 'approve'
  | 'deny'
  | 'acknowledge'
  | 'ask-again'
  | 'propose'
  | 'run'
  | 'stop'
  | 'resolve'
  | 'report'
  | 'pause'
  | 'resume';

type Handler = (context: SlackContext, db: Queryable, item: InboxItem) => Promise<Handled>;

const handlers: Record<ItemKind, Handler> = {
  approve: (context, db, item) => decideItem(context, db, { item, verdict: 'yes' }),
  deny: (context, db, item) => decideItem(context, db, { item, verdict: 'no' }),
  acknowledge,
  'ask-again': askAgain,
  propose: askForReported,
  run: askByHand,
  stop,
  resolve,
  report,
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
  const decided = await decideRun(context.remedy, db, {
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

async function stop({ remedy }: SlackContext, db: Queryable, { person, payload }: InboxItem): Promise<Handled> {
  const { runId, reason } = payload;
  const { answer, channel, event } = await stopRun(db, { runId: Number(runId), person, reason: reason || null });
  if (event) await appendAudit(db, event);
  return { answer, nudges: channel === null ? [] : [() => remedy.nudges.channel(channel)] };
}

async function resolve({ remedy }: SlackContext, db: Queryable, { person, payload }: InboxItem): Promise<Handled> {
  const verdict = payload['verdict'] === 'succeeded' ? 'succeeded' : 'failed';
  const input = { runId: Number(payload['runId']), person, verdict, reason: payload['reason'] ?? '' } as const;
  const { answer, channel } = await resolveRun(db, input);
  return { answer, nudges: channel === null ? [] : [() => remedy.nudges.channel(channel)] };
}

async function acknowledge(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  const id = Number(item.payload['alertId']);
  const isNew = await acknowledgeAlert(db, id, item.person.userId);
  const alert = await readAlert(db, id);
  if (!alert || !isNew) return { answer: whyNotAcknowledged(id, alert), nudges: [] };
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

function whyNotAcknowledged(id: number, alert: StoredAlert | null): Text {
  if (alert?.state !== 'firing') return [`Nothing to acknowledge: A-${id} is resolved.`];
  return [`A-${id} is acknowledged already, by `, { user: alert.acknowledgedBy ?? '' }, '.'];
}

async function report(context: SlackContext, db: Queryable, item: InboxItem): Promise<Handled> {
  const { remedy } = context;
  const target = item.payload['target'] ?? '';
  const channel = remedy.targets.get(target)?.channel;
  if (channel === undefined) return { answer: [`There is no target ${target} any more.`], nudges: [] };
  if (reportingJobs(remedy).length === 0)
    return { answer: ['Every job that reports is disabled in the configuration.'], nudges: [] };
  await makeReport(db, remedy, { target, kind: 'asked', askedBy: item.person.userId, channel });
  return {
    answer: [`The report on ${target} comes in `, { channel }, '.'],
    nudges: [() => remedy.nudges.channel(channel)],
  };
}
