import type { App, BlockAction, ButtonAction, ViewSubmitAction } from '@slack/bolt';
import type { Person } from '../model.ts';
import type { NewInboxItem } from '../state/inbox.ts';
import type { SlackContext } from './context.ts';
import type { ItemKind } from './handle.ts';
import { takeIn } from './intake.ts';
import { newTrace } from './trace.ts';
import { approveAloneView, openDetails } from './views.ts';

/** A button's value into the item's payload. */
const payloads: Partial<Record<ItemKind, (value: string) => Record<string, string>>> = {
  approve: readRunValue,
  deny: readRunValue,
  acknowledge: (alertId) => ({ alertId }),
  'ask-again': (runId) => ({ runId }),
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
  app.action<BlockAction<ButtonAction>>('approve-alone', async ({ body, action, ack, client }) => {
    await ack();
    const view = approveAloneView(action.value ?? '', body.response_url);
    await client.views.open({ trigger_id: body.trigger_id, view });
  });
  app.view<ViewSubmitAction>('approve-alone', async ({ body, view, ack }) => {
    const { value, responseUrl } = JSON.parse(view.private_metadata) as { value: string; responseUrl: string };
    const typedTarget = view.state.values['target']?.['target']?.value ?? '';
    const reason = view.state.values['reason']?.['reason']?.value ?? '';
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
    // Unique per press: Slack's own time of the action, to the microsecond.
    key: `action:${person.teamId}:${person.userId}:${kind}:${action.value}:${action.action_ts}`,
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
