import type { KnownBlock } from '@slack/types';
import { oneLine, plain } from '../text.ts';
import { type Rendered, renderAlert } from './alert.ts';
import { button, context, section } from './elements.ts';
import { originOf } from './fate.ts';
import type { CardFacts, ShownRun } from './read.ts';
import { renderReport } from './report.ts';
import { canAskAgain, runBlocks } from './run-blocks.ts';

export interface CardInput {
  id: number;
  version: number;
  facts: CardFacts;
  timezone: string;
}

/** The first block's id tells which card a message is: a post whose answer was lost is found by it. */
export function cardMark(id: number): string {
  return `card-${id}-`;
}

/** A card as it is true now. */
export function renderCard({ id, version, facts, timezone }: CardInput): Rendered {
  const { alert, runs, report, isPaused, worst } = facts;
  const [run] = runs;
  const rendered = alert
    ? renderAlert({ alert, runs, isPaused, worst, timezone })
    : run
      ? renderRun(run, { isPaused, timezone })
      : report
        ? renderReport(report, timezone)
        : { text: 'This card has nothing to show.', blocks: [section('This card has nothing to show.')] };
  const [first, ...rest] = rendered.blocks;
  const marked = { ...first, block_id: `${cardMark(id)}${version}` } as KnownBlock;
  return { text: rendered.text, blocks: [marked, ...rest] };
}

/** The card of a run that no alert has: somebody asked for it by hand, or it follows another run. */
function renderRun(run: ShownRun, { isPaused, timezone }: { isPaused: boolean; timezone: string }): Rendered {
  const asker = run.askedBy ? ` asked for by <@${run.askedBy.userId}>` : '';
  const title = `${run.target} · ${run.runbook}`;
  const again: KnownBlock[] = canAskAgain(run)
    ? [{ type: 'actions', elements: [button('ask-again', 'Ask again', { value: String(run.id) })] }]
    : [];
  return {
    text: `${title} (${run.state})`,
    blocks: [
      section(`🔧 *${plain(title)}*${asker} · ${whyOf(run)}`),
      ...(run.state === 'proposed' ? [] : [context(oneLine(run.does, 300))]),
      ...runBlocks({ run, timezone, isPaused }),
      ...again,
      context(`R-${run.id} · plan ${run.planHash.slice(0, 12)}`),
    ],
  };
}

function whyOf(run: ShownRun): string {
  return originOf(run) ?? (run.alertId === null ? 'no detector sees this' : `for A-${run.alertId}`);
}
