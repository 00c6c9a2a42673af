import type { Trial, TrialLine } from '../../alerts/trial.ts';
import { formatSeconds } from '../../remedy/before-after.ts';
import type { StoredReport } from '../../state/reports.ts';
import { oneLine, plain } from '../text.ts';
import type { Rendered } from './alert.ts';
import { context, section } from './elements.ts';

/** What would have been offered on a target that may only be observed, and what would let the bot offer it. */
export function renderTrial({ id, target }: StoredReport, { days, lines }: Trial): Rendered {
  const headline = `${oneLine(target, 80)} · ${days} days of watching only`;
  const offered = sum(lines, 'offered');
  const found =
    offered === 0
      ? 'Nothing was found for which there is a fix.'
      : `${offered} ${offered === 1 ? 'fix' : 'fixes'} would have been offered; ${sum(lines, 'stillNeeded')} of them still needed at the next look.`;
  const classes = [...new Set(lines.map((line) => `nodes[].actions.${line.class}`))].join(', ');
  return {
    text: `📋 ${headline}: ${found}`,
    blocks: [
      section(`📋 *${headline}*\n${found}`),
      ...lines.map((line) => section(describe(line))),
      ...(offered === 0
        ? []
        : [section(`To have them offered, give it a login: \`${plain(classes)}\`. Nothing runs without an approval.`)]),
      context(`report ${id}`),
    ],
  };
}

function describe({ runbook, offered, stillNeeded, medianSeconds }: TrialLine): string {
  const lasted =
    medianSeconds === null ? 'none is over yet' : `they lasted ${formatSeconds(medianSeconds)} in the median`;
  return `*${plain(runbook)}* · ${offered} offered, ${stillNeeded} still needed; ${lasted}`;
}

function sum(lines: readonly TrialLine[], figure: 'offered' | 'stillNeeded'): number {
  return lines.reduce((total, line) => total + line[figure], 0);
}
