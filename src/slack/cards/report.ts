import type { KnownBlock } from '@slack/types';
import type { ReportContent, ReportLine } from '../../alerts/compose-report.ts';
import { formatBytes } from '../../remedy/before-after.ts';
import type { StoredReport } from '../../state/reports.ts';
import { clock, fitLines, mrkdwn, oneLine, plain, toMrkdwn } from '../text.ts';
import type { Rendered } from './alert.ts';
import { button, context, section } from './elements.ts';
import { renderTrial } from './trial.ts';

const titles = { 'first-look': 'first look', weekly: 'weekly report', asked: 'report', trial: 'trial' } as const;

/** The worst first, each with what could be done; then what nobody could judge, with what would help. */
export function renderReport(report: StoredReport, timezone: string): Rendered {
  if (report.content.trial) return renderTrial(report, report.content.trial);
  const { target, kind, content, askedBy } = report;
  const by = askedBy === null ? '' : ` asked for by ${toMrkdwn([{ user: askedBy }])}`;
  const headline = `${oneLine(target, 80)} · ${titles[kind]}`;
  const found = summaryOf(report.target, content);
  return {
    text: `📋 ${headline}: ${found}`,
    blocks: [
      section(`📋 *${headline}*${by}\n${found}`),
      ...content.lines.map(lineBlock),
      ...(content.moreLines > 0 ? [section(`… and ${content.moreLines} more, none of them worse.`)] : []),
      ...unjudgedBlocks(content),
      context(footer(report, timezone)),
    ],
  };
}

function summaryOf(target: string, { lines, moreLines, looks, unjudged }: ReportContent): string {
  const checked = checkedOf(looks);
  if (lines.length > 0) return `${count(lines.length + moreLines, 'thing')} to look at; ${checked}.`;
  if (looks.length === 0) return `Nothing could be judged on ${oneLine(target, 80)}.`;
  const except = unjudged.length > 0 ? ' All but what is below was judged.' : '';
  return `Nothing to report on ${oneLine(target, 80)}: ${checked}.${except}`;
}

/** "checked 3 databases for duplicate-indexes". */
function checkedOf(looks: ReportContent['looks']): string {
  const databases = Math.max(0, ...looks.map((look) => look.databases ?? 0));
  const where = databases > 0 ? `${count(databases, 'database')} ` : '';
  return looks.length === 0
    ? 'nothing was checked'
    : `checked ${where}for ${oneLine(looks.map(({ job }) => job).join(', '), 400)}`;
}

function lineBlock(line: ReportLine): KnownBlock {
  const { alertId, database, what, sizeBytes, verdict, hasRunbook, isStale } = line;
  const size = sizeBytes === null ? '' : ` · ${formatBytes(sizeBytes)}`;
  const where = database === null ? '' : `${oneLine(database, 80)} · `;
  const stale = isStale ? '\n⚪ Could not be looked at again since.' : '';
  return {
    type: 'section',
    text: mrkdwn(`${where}*${oneLine(what, 300)}*${size}\n${plain(verdict, 1_000)}${stale}`),
    accessory: hasRunbook
      ? button('plan', 'Plan …', { value: `alert:${alertId}` })
      : button('details', 'Details …', { value: String(alertId) }),
  };
}

function unjudgedBlocks({ unjudged }: ReportContent): KnownBlock[] {
  if (unjudged.length === 0) return [];
  const lines = unjudged.map(
    ({ job, reason, remedy }) => `⚪ ${oneLine(job, 80)} cannot judge: ${oneLine(reason, 600)} ${codeOf(remedy)}`,
  );
  return [section(fitLines(lines.join('\n'), 2_900))];
}

function codeOf(remedy: string): string {
  return remedy === '' ? '' : `\`${oneLine(remedy.replaceAll('`', "'"), 600)}\``;
}

function footer({ id, content }: StoredReport, timezone: string): string {
  const oldest =
    content.oldestLookAt === null ? '' : `looked ${clock(new Date(content.oldestLookAt), timezone)} or later`;
  return [`report ${id}`, oldest, 'each line stays until its job finds it no more'].filter(Boolean).join(' · ');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
