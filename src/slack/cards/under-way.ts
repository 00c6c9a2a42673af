import type { KnownBlock } from '@slack/types';
import { formatSeconds } from '../../remedy/before-after.ts';
import type { RunProgress } from '../../state/runs.ts';
import { plain, toMrkdwn } from '../text.ts';
import { button, section } from './elements.ts';
import { approvedBy, nameOf } from './fate.ts';
import type { ShownRun } from './read.ts';
import type { RunView } from './run-blocks.ts';

/** A run that takes as long as it takes: how far it is, whom it waits for, and the way to end it. */
export function underWayBlocks(view: RunView): KnownBlock[] {
  const { run } = view;
  const isLost = run.state === 'recovering';
  const sign = isLost ? '⚠️' : '⏳';
  const lines = [
    `${sign} Approved by ${approvedBy(view)} · ${isLost ? `${nameOf(run)} lost its worker; looking at the server` : `running ${nameOf(run)}`}`,
    ...(run.progress ? tellProgress(run.progress) : []),
    ...(run.stopBy === null ? [] : [tellStop(run, run.stopBy)]),
  ];
  return [section(lines.join('\n')), ...(run.stopBy === null ? [stopButton(run, 'Stop …')] : [])];
}

/** Ends what is under way, or takes back what has not begun. */
export function stopButton(run: ShownRun, label: string): KnownBlock {
  const isUnderWay = run.state === 'running' || run.state === 'recovering';
  const confirm = isUnderWay
    ? {
        title: `Stop R-${run.id}?`,
        text: 'Its statement is cancelled. What it leaves behind is looked for, and its removal offered.',
        yes: 'Stop',
      }
    : { title: `Withdraw R-${run.id}?`, text: 'It will not begin. It can be asked for again.', yes: 'Withdraw' };
  return {
    type: 'actions',
    block_id: `stop-${run.id}`,
    elements: [button('stop', label, { value: String(run.id), ...(isUnderWay ? { style: 'danger' } : {}), confirm })],
  };
}

/** "building index 62 % ▓▓▓▓▓▓▓░░░░ · 11 min 4 s, about 7 min of this phase left". */
function tellProgress({ phase, percent, etaSeconds, waitsFor, seconds }: RunProgress): string[] {
  const far = percent === null ? '' : ` ${Math.round(percent)} % ${bar(percent)}`;
  const left = etaSeconds === null ? '' : `, about ${roughly(etaSeconds)} of this phase left`;
  const waits =
    waitsFor === null ? [] : [`Waits for ${plain(waitsFor, 500)}; nothing to do but wait, or end what it waits for`];
  return [`${plain(phase, 200)}${far} · ${formatSeconds(seconds)}${left}`, ...waits];
}

function tellStop({ stopReason }: ShownRun, by: string): string {
  return `🛑 Stopping, asked by ${toMrkdwn([{ user: by }])}${stopReason === null ? '' : `: ${plain(stopReason, 300)}`}`;
}

const cells = 11;

function bar(percent: number): string {
  const full = Math.min(cells, Math.max(0, Math.floor((percent / 100) * cells)));
  return `${'▓'.repeat(full)}${'░'.repeat(cells - full)}`;
}

/** In the largest unit that fits: an estimate has no seconds beside its minutes. */
function roughly(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3_600)} h`;
}
