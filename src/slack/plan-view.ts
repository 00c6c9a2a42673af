import type { KnownBlock, ModalView } from '@slack/types';
import type { WebClient } from '@slack/web-api';
import { explain } from '../errors.ts';
import { errorFields } from '../log.ts';
import { openPlan, type Plan } from '../remedy/plan.ts';
import { previewPlan } from '../remedy/preview.ts';
import { type PreviewLine, previewLines } from '../remedy/preview-lines.ts';
import { planBest } from '../remedy/propose.ts';
import { readAlert, type StoredAlert } from '../state/alerts.ts';
import { readRun } from '../state/runs.ts';
import { section } from './cards/elements.ts';
import type { SlackContext } from './context.ts';
import { fitLines, plain, preformatted } from './text.ts';

/** What a modal may be submitted for: the plan of a reported alert, as it was shown. */
export interface PlanShown {
  alertId: number;
  planHash: string;
  responseUrl: string | null;
}

interface Opened {
  triggerId: string;
  /** `run:12`, what is proposed already, or `alert:7`, what a report's line offers. */
  value: string;
  responseUrl: string | null;
}

/** A plan with the verdict of each guard, looked at now: the modal opens first, since a trigger lives for 3 seconds. */
export async function openPlanView(context: SlackContext, client: WebClient, opened: Opened): Promise<void> {
  const first = view([section('Looking at the server …')], null);
  const { view: shown } = await client.views.open({ trigger_id: opened.triggerId, view: first });
  const filled = await fill(context, opened).catch((error) => {
    context.remedy.log.error({ plan: opened.value, ...errorFields(error) }, 'plan not shown');
    return view([section(plain(`It could not be looked at: ${explain(error)}. Close this and try again.`))], null);
  });
  if (shown?.id) await client.views.update({ view_id: shown.id, view: filled });
}

async function fill({ remedy }: SlackContext, { value, responseUrl }: Opened): Promise<ModalView> {
  const [kind, id] = value.split(':');
  const found = kind === 'run' ? await findRun(remedy, Number(id)) : await findOffer(remedy, Number(id));
  if ('why' in found) return view([section(plain(found.why)), ...factBlocks(found.alert)], null);
  const preview = await previewPlan(remedy, found);
  const shown = kind === 'run' ? null : { alertId: Number(id), planHash: found.hash, responseUrl };
  return view(previewLines(preview).flatMap(lineBlocks), shown);
}

interface Found {
  plan: Plan;
  hash: string;
  does: string;
  alertId: number | null;
}

/** There is nothing to plan: what is known all the same. */
interface NoPlan {
  why: string;
  alert: StoredAlert | null;
}

async function findRun({ pool }: SlackContext['remedy'], id: number): Promise<Found | NoPlan> {
  const run = await readRun(pool, id);
  if (!run) return { why: `R-${id} is not known any more.`, alert: null };
  return { plan: openPlan(run.plan, run.planHash), hash: run.planHash, does: run.does, alertId: run.alertId };
}

async function findOffer(remedy: SlackContext['remedy'], alertId: number): Promise<Found | NoPlan> {
  const alert = await readAlert(remedy.pool, alertId);
  if (!alert || alert.state === 'resolved')
    return { why: `A-${alertId} is resolved: its job finds it no more.`, alert: null };
  const best = await planBest(remedy, alertId, alert.finding);
  if (best) return { plan: best.plan, hash: best.hash, does: best.offer.does, alertId };
  const names = alert.finding.runbooks.map(({ name }) => name).join(', ');
  const why = `${alert.target} is observe-only for ${names}, or its policy is off: see nodes[].actions in its configuration.`;
  return { why, alert };
}

function factBlocks(alert: StoredAlert | null): KnownBlock[] {
  if (!alert) return [];
  const { summary, facts } = alert.finding;
  return [section(plain(summary)), preformatted(JSON.stringify(facts, null, 1))];
}

function lineBlocks({ label, text, isCode }: PreviewLine): KnownBlock[] {
  if (isCode) return [section(`*${label}*`), preformatted(text)];
  return [section(fitLines(label === '' ? plain(text) : `*${plain(label)}*  ${plain(text)}`, 2_900))];
}

function view(blocks: KnownBlock[], shown: PlanShown | null): ModalView {
  return {
    type: 'modal',
    title: words('Plan'),
    close: words('Close'),
    ...(shown ? { callback_id: 'propose', private_metadata: JSON.stringify(shown), submit: words('Propose it') } : {}),
    blocks: blocks.slice(0, 90),
  };
}

function words(text: string) {
  return { type: 'plain_text' as const, text };
}
