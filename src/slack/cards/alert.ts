import type { KnownBlock } from '@slack/types';
import type { Severity } from '../../model.ts';
import { formatSeconds } from '../../remedy/before-after.ts';
import { listPeople } from '../../remedy/policy.ts';
import type { StoredAlert } from '../../state/alerts.ts';
import { clock, oneLine, plain, preformatted, toMrkdwn } from '../text.ts';
import { button, context, section } from './elements.ts';
import type { CardFacts, ShownRun } from './read.ts';
import { canAskAgain, runBlocks } from './run-blocks.ts';
import { isWorse, worstMoment } from './worst.ts';

export interface AlertView extends Omit<CardFacts, 'report'> {
  alert: StoredAlert;
  timezone: string;
}

export interface Rendered {
  /** For notifications and screen readers: one line. */
  text: string;
  blocks: KnownBlock[];
}

/** The card of an alert: what is wrong and where, how bad, then the one thing to do. */
export function renderAlert(view: AlertView): Rendered {
  const { alert, runs } = view;
  const state = stateOf(alert, runs);
  const title = oneLine(alert.finding.title, 250);
  const headline = `${state.sign} *${alert.target} · ${title}*   \`${state.word}\``;
  const shown = alert.state === 'resolved' ? resolvedBlocks(view) : firingBlocks(view);
  return {
    text: `${state.sign} ${alert.target} · ${title} (${state.word})`,
    blocks: [section(headline), ...shown, footer(alert)],
  };
}

const signs: Readonly<Record<Severity, string>> = { critical: '🔴', warning: '🟠', info: '🔵' };

function stateOf(alert: StoredAlert, runs: readonly ShownRun[]): { sign: string; word: string } {
  if (alert.state === 'resolved') return { sign: '🟢', word: 'resolved' };
  if (runs.some((run) => ['approved', 'running', 'recovering'].includes(run.state)))
    return { sign: '🟡', word: 'fixing' };
  return { sign: signs[alert.severity], word: alert.severity };
}

function firingBlocks(view: AlertView): KnownBlock[] {
  const { alert, runs, timezone, isPaused } = view;
  const { finding } = alert;
  const shown = runs.filter((run) => run.state !== 'withdrawn');
  const isDecided = shown.some((run) => ['approved', 'running', 'recovering'].includes(run.state));
  const visible = isDecided ? shown.filter((run) => run.state !== 'proposed') : shown;
  return [
    section(plain(finding.summary)),
    ...(finding.evidence ? [preformatted(finding.evidence)] : []),
    ...(isWorse(view.worst, finding) ? [section(worstMoment(view.worst, timezone))] : []),
    ...(alert.staleSince
      ? [
          section(
            `⚪ Stale since ${clock(alert.staleSince, timezone)}: ${plain(alert.staleReason ?? 'not checked', 500)}`,
          ),
        ]
      : []),
    ...(alert.acknowledgedBy ? [section(`👀 Acknowledged by ${toMrkdwn([{ user: alert.acknowledgedBy }])}`)] : []),
    ...visible.slice(-4).flatMap((run) => runBlocks({ run, timezone, isPaused })),
    ...unofferedBlocks(view),
    ...(finding.otherwise && !isDecided ? [section(plain(finding.otherwise, 500))] : []),
    alertActions(view),
  ];
}

/** Offers without a run: the target is observe-only for them, or another alert offers the same. */
function unofferedBlocks({ alert, runs }: AlertView): KnownBlock[] {
  return alert.finding.runbooks
    .filter((offer) => !runs.some((run) => run.runbook === offer.name && run.state !== 'withdrawn'))
    .slice(0, 3)
    .map((offer) =>
      section(
        `*Fix: ${oneLine(offer.name, 80)}* · ${plain(offer.does, 1_000)}\n_Not offered here: ${alert.target} has no login for it, its policy is off, or another alert offers it._`,
      ),
    );
}

function alertActions({ alert, runs }: AlertView): KnownBlock {
  const value = String(alert.id);
  const last = runs.at(-1);
  return {
    type: 'actions',
    block_id: `alert-${alert.id}`,
    elements: [
      ...(alert.acknowledgedBy ? [] : [button('acknowledge', 'Acknowledge', { value })]),
      ...(last && canAskAgain(last) ? [button('ask-again', 'Ask again', { value: String(last.id) })] : []),
      button('details', 'Details …', { value }),
    ],
  };
}

function resolvedBlocks(view: AlertView): KnownBlock[] {
  const { worst, timezone } = view;
  return worst
    ? [resolvedBlock(view), section(worstMoment(worst, timezone)), preformatted(worst.evidence)]
    : [resolvedBlock(view)];
}

function resolvedBlock({ alert, runs, timezone }: AlertView): KnownBlock {
  const fix = runs.findLast((run) => run.state === 'succeeded');
  const seconds = ((alert.resolvedAt ?? new Date()).getTime() - alert.firstSeenAt.getTime()) / 1000;
  const lasted = `Lasted ${formatSeconds(seconds)}.`;
  if (!fix) return section(`No longer found at ${clock(alert.resolvedAt ?? new Date(), timezone)}. ${lasted}`);
  const by = toMrkdwn(listPeople(fix.approvals.map((approval) => approval.person.userId)));
  const comparison = fix.beforeAfter ? `\nBefore → after: ${plain(fix.beforeAfter, 1_500)}` : '';
  return section(`Fixed by ${fix.runbook} (R-${fix.id}), approved by ${by}. ${lasted}${comparison}`);
}

function footer(alert: StoredAlert): KnownBlock {
  const { finding } = alert;
  return context(
    [alert.job, oneLine(finding.node, 200), oneLine(finding.database ?? '', 200), `alert A-${alert.id}`]
      .filter(Boolean)
      .join(' · '),
  );
}
