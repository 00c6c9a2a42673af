import type { KnownBlock } from '@slack/types';
import type { Text } from '../../model.ts';
import { isLasting, type Plan, readPlan, sqlOf, statementsOf } from '../../remedy/plan.ts';
import { listPeople } from '../../remedy/policy.ts';
import { clock, plain, preformatted, toMrkdwn } from '../text.ts';
import { button, context, section } from './elements.ts';
import { fate, originOf } from './fate.ts';
import type { ShownRun } from './read.ts';
import { stopButton, underWayBlocks } from './under-way.ts';

export interface RunView {
  run: ShownRun;
  timezone: string;
  isPaused: boolean;
}

/** What a run offers or has become: the exact SQL and its buttons, or one line of its fate. */
export function runBlocks(view: RunView): KnownBlock[] {
  const { run } = view;
  const plan = readPlan(run);
  if (!plan)
    return [section(`⚠️ R-${run.id} ${run.runbook}: its stored plan was changed by somebody; it cannot be run.`)];
  const isUnderWay = run.state === 'running' || run.state === 'recovering';
  if (run.state === 'proposed') return proposedBlocks(view, plan);
  if (isUnderWay && isLasting(plan)) return underWayBlocks(view);
  return [section(fate(view, plan)), ...afterwards(view, plan)];
}

/** A finished or unanswered run may be asked for again; of which nobody knows the end, once somebody has looked. */
export function canAskAgain({ state, alertId }: Pick<ShownRun, 'state' | 'alertId'>): boolean {
  // What a job offers comes back by itself after somebody withdrew it.
  if (state === 'withdrawn') return alertId === null;
  return ['expired', 'refused', 'failed', 'stopped', 'denied'].includes(state);
}

const seenByNobody = {
  title: 'No detector sees this',
  text: 'Only the person who asked says that it is needed. Approve it all the same?',
  yes: 'Approve',
};

function proposedBlocks({ run, timezone, isPaused }: RunView, plan: Plan): KnownBlock[] {
  const value = `${run.id}:${run.planHash}`;
  const isByHand = run.alertId === null && run.follows === null;
  const origin = originOf(run);
  const needsTyping = plan.policy.asker === 'typed' && run.askedBy !== null;
  return [
    section(`*Fix: ${run.runbook}* (risk: ${run.risk})${origin ? ` · ${origin}` : ''} · ${plain(run.does, 1_500)}`),
    ...statementsOf(plan, 'act').map(({ sql }) => preformatted(sql)),
    {
      type: 'actions',
      block_id: `run-${run.id}`,
      elements: [
        button('approve', 'Approve', { value, style: 'primary', ...(isByHand ? { confirm: seenByNobody } : {}) }),
        button('deny', 'Deny', { value, style: 'danger' }),
        button('plan', 'Plan …', { value: `run:${run.id}` }),
        ...(needsTyping ? [button('approve-alone', 'Approve alone …', { value })] : []),
      ],
    },
    context(
      [
        `R-${run.id} needs ${needs(run, plan)}`,
        `this offer ends ${clock(run.expiresAt, timezone)}`,
        isPaused ? 'actions are paused' : '',
      ]
        .filter(Boolean)
        .join(' · '),
    ),
  ];
}

function needs(run: ShownRun, { policy }: Plan): string {
  const given = run.approvals.filter((one) => one.verdict === 'yes');
  const missing = policy.people - given.length;
  const sofar: Text =
    given.length === 0 ? [] : ['; approved by ', ...listPeople(given.map((one) => one.person.userId))];
  return toMrkdwn([`${missing}${given.length > 0 ? ' more' : ''} of `, ...listPeople(policy.of), ...sofar]);
}

/** What is left to do about a run: to withdraw it before its time, or to look where nobody knows how it ended. */
function afterwards({ run }: RunView, plan: Plan): KnownBlock[] {
  if (run.state === 'scheduled') return [stopButton(run, 'Withdraw …')];
  const look = run.state === 'unknown' ? sqlOf(plan, 'verify') : null;
  if (look === null) return [];
  const where = [plan.node, plan.database].filter(Boolean).join(', database ');
  const close = toMrkdwn([
    'Then close it: ',
    { code: `/pg resolve R-${run.id} succeeded` },
    ' or ',
    { code: 'failed' },
    ', and how you know.',
  ]);
  return [section(`Look on ${plain(where, 200)}; true says that it is done:`), preformatted(look), section(close)];
}
