import { setTimeout as sleep } from 'node:timers/promises';
import type { KnownBlock, ModalView } from '@slack/types';
import type { WebClient } from '@slack/web-api';
import { errorFields } from '../log.ts';
import { openPlan } from '../remedy/plan.ts';
import { readRun } from '../state/runs.ts';
import { section } from './cards/elements.ts';
import { readCardFacts } from './cards/read.ts';
import type { SlackContext } from './context.ts';
import { plain, preformatted } from './text.ts';

/** What the modal of an approval alone is about; its target and runbook are null where they could not be read in time. */
export interface Asked {
  /** The button's: run and plan. */
  value: string;
  target: string | null;
  runbook: string | null;
  responseUrl: string | null;
}

/** A trigger lives for 3 seconds: a slow state database must not keep the modal from opening. */
const readWithinMs = 1_000;

export async function readAsked(
  { state, remedy }: SlackContext,
  value: string,
): Promise<Pick<Asked, 'target' | 'runbook'>> {
  const reading = readRun(state.warmPool, Number(value.split(':')[0]));
  const run = await Promise.race([reading, sleep(readWithinMs, null)]).catch((error) => {
    remedy.log.warn(errorFields(error), 'run not read for its modal');
    return null;
  });
  return { target: run?.target ?? null, runbook: run?.runbook ?? null };
}

/** The modal in which an asker approves alone: the target's name, typed, and a reason. */
export function approveAloneView(asked: Asked): ModalView {
  const what = asked.runbook === null ? '' : `*${plain(asked.runbook, 100)}* runs as its card shows it. `;
  return {
    type: 'modal',
    callback_id: 'approve-alone',
    private_metadata: JSON.stringify(asked),
    title: text('Approve alone'),
    submit: text('Approve'),
    close: text('Back'),
    blocks: [
      section(
        `${what}You asked for it yourself. If nobody else can look at it, type where it runs and why; the channel is told.`,
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
  const blocks = await readDetails(context, alertId).catch((error) => {
    context.remedy.log.error({ alert: alertId, ...errorFields(error) }, 'details not read');
    return [section(`A-${alertId} could not be read from the state database. Close this and try again.`)];
  });
  if (opened.view?.id) await client.views.update({ view_id: opened.view.id, view: detailsView(blocks) });
}

async function readDetails(context: SlackContext, alertId: number): Promise<KnownBlock[]> {
  const { alert, runs } = await readCardFacts(context.remedy.pool, { alertId, runId: null, reportId: null });
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
  return [...facts, ...plans];
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
