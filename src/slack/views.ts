import type { KnownBlock, ModalView } from '@slack/types';
import type { WebClient } from '@slack/web-api';
import { openPlan } from '../remedy/plan.ts';
import { readCardFacts } from './cards/read.ts';
import { section } from './cards/run-blocks.ts';
import type { SlackContext } from './context.ts';
import { plain, preformatted } from './text.ts';

/** The modal in which an asker approves alone: the target's name, typed, and a reason. */
export function approveAloneView(value: string, responseUrl: string | undefined): ModalView {
  return {
    type: 'modal',
    callback_id: 'approve-alone',
    private_metadata: JSON.stringify({ value, responseUrl: responseUrl ?? null }),
    title: text('Approve alone'),
    submit: text('Approve'),
    close: text('Back'),
    blocks: [
      section(
        'You asked for this yourself. If nobody else can look at it, type where it runs and why; the channel is told.',
      ),
      input('target', "The target's name"),
      input('reason', 'Reason'),
    ],
  };
}

/** Everything about an alert: its facts, each plan with all its statements, exactly as they run. */
export async function openDetails(
  context: SlackContext,
  client: WebClient,
  { triggerId, alertId }: { triggerId: string; alertId: number },
): Promise<void> {
  // A trigger lives for 3 seconds: the modal opens first, and is filled when the database has answered.
  const opened = await client.views.open({ trigger_id: triggerId, view: detailsView([section('Reading …')]) });
  const { alert, runs } = await readCardFacts(context.remedy.pool, { alertId, runId: null });
  const facts = alert ? [preformatted(JSON.stringify(alert.finding.facts, null, 1))] : [section('That alert is gone.')];
  const plans = runs
    .slice(-3)
    .flatMap((run): KnownBlock[] => [
      section(`*R-${run.id} ${run.runbook}* · ${run.state} · plan ${run.planHash.slice(0, 12)}`),
      ...openPlan(run.plan, run.planHash).steps.flatMap(({ step, sql }) => [
        section(`_${plain(step)}_`),
        preformatted(sql),
      ]),
    ]);
  if (opened.view?.id) await client.views.update({ view_id: opened.view.id, view: detailsView([...facts, ...plans]) });
}

function detailsView(blocks: KnownBlock[]): ModalView {
  return { type: 'modal', title: text('Details'), close: text('Close'), blocks: blocks.slice(0, 90) };
}

function input(id: string, label: string): KnownBlock {
  return {
    type: 'input',
    block_id: id,
    label: text(label),
    element: { type: 'plain_text_input', action_id: id, max_length: 300 },
  };
}

function text(words: string) {
  return { type: 'plain_text' as const, text: words };
}
