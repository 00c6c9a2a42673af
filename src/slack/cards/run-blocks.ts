import type { KnownBlock } from '@slack/types';
import type { Text } from '../../model.ts';
import { openPlan, type Plan, sqlOf } from '../../remedy/plan.ts';
import { listPeople } from '../../remedy/policy.ts';
import { clock, mrkdwn, plain, preformatted, toMrkdwn } from '../text.ts';
import type { ShownRun } from './read.ts';

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
  return run.state === 'proposed' ? proposedBlocks(view, plan) : [section(fate(view, plan))];
}

/** Null where it is not the plan that was proposed: one broken row must not keep a channel from being drawn. */
function readPlan(run: ShownRun): Plan | null {
  try {
    return openPlan(run.plan, run.planHash);
  } catch {
    return null; // What openPlan throws says no more than the card does.
  }
}

/** A finished or unanswered run may be asked for again. */
export function canAskAgain(run: Pick<ShownRun, 'state'>): boolean {
  return ['expired', 'refused', 'failed', 'denied', 'unknown'].includes(run.state);
}

export function button(
  id: string,
  label: string,
  options: { value: string; style?: 'primary' | 'danger'; confirm?: string },
) {
  const { value, style, confirm } = options;
  return {
    type: 'button' as const,
    action_id: id,
    text: { type: 'plain_text' as const, text: label },
    value,
    ...(style ? { style } : {}),
    ...(confirm
      ? {
          confirm: {
            title: { type: 'plain_text' as const, text: 'No detector sees this' },
            text: { type: 'plain_text' as const, text: confirm },
            confirm: { type: 'plain_text' as const, text: 'Approve' },
            deny: { type: 'plain_text' as const, text: 'Back' },
          },
        }
      : {}),
  };
}

export function section(text: string): KnownBlock {
  return { type: 'section', text: mrkdwn(text) };
}

export function context(text: string): KnownBlock {
  return { type: 'context', elements: [mrkdwn(text)] };
}

function proposedBlocks({ run, timezone, isPaused }: RunView, plan: Plan): KnownBlock[] {
  const value = `${run.id}:${run.planHash}`;
  const byHand =
    run.alertId === null ? 'Only the person who asked says that it is needed. Approve it all the same?' : null;
  const needsTyping = plan.policy.asker === 'typed' && run.askedBy !== null;
  return [
    section(`*Fix: ${run.runbook}* (risk: ${run.risk}) · ${plain(run.does, 1_500)}`),
    preformatted(sqlOf(plan, 'act') ?? ''),
    {
      type: 'actions',
      block_id: `run-${run.id}`,
      elements: [
        button('approve', 'Approve', { value, style: 'primary', ...(byHand ? { confirm: byHand } : {}) }),
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

function fate({ run, timezone }: RunView, plan: Plan): string {
  const what = `${run.runbook} (R-${run.id})`;
  const yes = run.approvals.filter((one) => one.verdict === 'yes');
  const by = `${toMrkdwn(listPeople(yes.map((one) => one.person.userId)))}${alone(run)}`;
  const at = yes.at(-1) ? ` ${clock((yes.at(-1) as { at: Date }).at, timezone)}` : '';
  const why = run.outcome ? `: ${plain(run.outcome, 800)}` : '';
  switch (run.state) {
    case 'approved':
    case 'scheduled':
    case 'running':
      return `✅ Approved by ${by}${at} · running ${what}`;
    case 'recovering':
      return `⚠️ Approved by ${by}${at} · ${what} lost its worker; looking at the server`;
    case 'succeeded':
      return `✅ ${what}, approved by ${by}${at} · done${why}${run.beforeAfter ? `\nBefore → after: ${plain(run.beforeAfter, 1_000)}` : ''}`;
    case 'denied': {
      const no = run.approvals.find((one) => one.verdict === 'no');
      return `⛔ ${what} denied by ${toMrkdwn([{ user: no?.person.userId ?? '' }])}${no ? ` ${clock(no.at, timezone)}` : ''}`;
    }
    case 'unknown':
      return `⚠️ ${what}${why}`;
    case 'withdrawn':
      return `↩️ ${what} withdrawn${why}`;
    case 'expired':
      return `⌛ ${what} expired: nobody answered in time (needed ${plan.policy.people})`;
    default:
      return `✗ ${what} ${run.state}${why}`;
  }
}

/** That an asker approved alone, and why: the channel is told. */
function alone({ approvals, askedBy }: ShownRun): string {
  const own = approvals.find((one) => one.verdict === 'yes' && one.person.userId === askedBy?.userId);
  return own?.reason ? ` alone (${plain(own.reason, 300)})` : '';
}
