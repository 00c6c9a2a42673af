import type { App, BlockAction, ButtonAction, ViewSubmitAction } from '@slack/bolt';
import type { Person } from '../model.ts';
import { findMistyped } from '../remedy/policy.ts';
import type { NewInboxItem } from '../state/inbox.ts';
import type { SlackContext } from './context.ts';
import type { ItemKind } from './handle.ts';
import { takeIn } from './intake.ts';
import { openPlanView, type PlanShown } from './plan-view.ts';
import { newTrace } from './trace.ts';
import { type Asked, approveAloneView, openDetails, readAsked } from './views.ts';

/** A button's value into the item's payload. */
const payloads: Partial<Record<ItemKind, (value: string) => Record<string, string>>> = {
  approve: readRunValue,
  deny: readRunValue,
  acknowledge: (alertId) => ({ alertId }),
  'ask-again': (runId) => ({ runId }),
  stop: (runId) => ({ runId }),
};

/** Buttons and modals: whatever changes something goes through the inbox. */
export function registerActions(app: App, context: SlackContext): void {
  for (const [kind, toPayload] of Object.entries(payloads))
    app.action<BlockAction<ButtonAction>>(kind, async ({ body, action, ack }) => {
      await takeIn(context, itemOf(kind as ItemKind, body, { action, toPayload }), () => ack());
    });
  app.action<BlockAction<ButtonAction>>('details', async ({ body, action, ack, client }) => {
    await ack();
    await openDetails(context, client, { triggerId: body.trigger_id, alertId: Number(action.value) });
  });
  app.action<BlockAction<ButtonAction>>('plan', async ({ body, action, ack, client }) => {
    await ack();
    await openPlanView(context, client, {
      triggerId: body.trigger_id,
      value: action.value ?? '',
      responseUrl: body.response_url ?? null,
    });
  });
  app.view<ViewSubmitAction>('propose', async ({ body, view, ack }) => {
    const { alertId, planHash, responseUrl } = JSON.parse(view.private_metadata) as PlanShown;
    const person = personOf(body);
    const key = `view:${person.teamId}:${person.userId}:${view.id}:${view.hash}`;
    const payload = { alertId: String(alertId), planHash };
    const item: NewInboxItem = { key, kind: 'propose', person, payload, responseUrl, trace: newTrace() };
    await takeIn(context, item, () => ack());
  });
  app.action<BlockAction<ButtonAction>>('approve-alone', async ({ body, action, ack, client }) => {
    await ack();
    const value = action.value ?? '';
    const view = approveAloneView({
      value,
      ...(await readAsked(context, value)),
      responseUrl: body.response_url ?? null,
    });
    await client.views.open({ trigger_id: body.trigger_id, view });
  });
  app.view<ViewSubmitAction>('approve-alone', async ({ body, view, ack }) => {
    const { value, target, responseUrl } = JSON.parse(view.private_metadata) as Asked;
    const typedTarget = view.state.values['target']?.['target']?.value ?? '';
    const reason = view.state.values['reason']?.['reason']?.value ?? '';
    const wrong = target === null ? null : findMistyped({ target: typedTarget, reason }, target);
    if (wrong) return await ack({ response_action: 'errors', errors: { [wrong.field]: wrong.says } });
    const person = personOf(body);
    const item: NewInboxItem = {
      key: `view:${person.teamId}:${person.userId}:${view.id}:${view.hash}`,
      kind: 'approve',
      person,
      payload: { ...readRunValue(value), typedTarget, reason },
      responseUrl,
      trace: newTrace(),
    };
    await takeIn(context, item, () => ack());
  });
}

function itemOf(
  kind: ItemKind,
  body: BlockAction<ButtonAction>,
  { action, toPayload }: { action: ButtonAction; toPayload: (value: string) => Record<string, string> },
): NewInboxItem {
  const person = personOf(body);
  return {
    // Each press has a trigger of its own, also two presses at the same moment.
    key: `action:${person.teamId}:${person.userId}:${kind}:${action.value}:${body.trigger_id}`,
    kind,
    person,
    payload: toPayload(action.value ?? ''),
    responseUrl: body.response_url ?? null,
    trace: newTrace(),
  };
}

function readRunValue(value: string): Record<string, string> {
  const [runId = '', planHash = ''] = value.split(':');
  return { runId, planHash };
}

function personOf(body: { user: { id: string; team_id?: string }; team: { id: string } | null }): Person {
  return { userId: body.user.id, teamId: body.user.team_id ?? body.team?.id ?? '' };
}
