import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from './context.ts';
import type { Envelope } from './envelopes.ts';
import { meetFault, readArguments, sendJson } from './http.ts';
import { checkMessage, checkView } from './limits.ts';

type Payload = Record<string, unknown>;

/** An envelope as Slack would send it: its response_url is ours, its trigger begins to age, its view keeps its id. */
export function rewriteEnvelope(context: Context, envelope: Envelope): Envelope {
  const payload = { ...envelope.payload };
  const { trigger_id: trigger, response_url: url, view } = payload;
  if (typeof trigger === 'string') context.tickets.issueTrigger(trigger);
  if (typeof url === 'string') {
    const { pathname } = new URL(url);
    context.tickets.issueResponseUrl(pathname, askerOf(payload));
    payload['response_url'] = `${context.ownUrl}${pathname}`;
  }
  if (view) payload['view'] = context.views.show(view as { id: string; hash: string });
  if ((payload['message'] as Payload | undefined)?.['ephemeral_to']) {
    payload['container'] = { ...(payload['container'] as Payload), is_ephemeral: true };
    delete payload['message'];
  }
  return { ...envelope, payload };
}

/** An acknowledgement as Slack takes it: an answer to a command is for its asker alone unless it says otherwise. */
export function takeAck(context: Context, envelope: Envelope, ack: Payload): Payload {
  const refusal = ack['view'] ? checkView(ack['view']) : isSaying(ack) ? checkMessage(ack) : null;
  if (refusal) context.records.refuse(`ack of ${envelope.type}`, refusal);
  if (envelope.type !== 'slash_commands' || !isSaying(ack) || ack['response_type'] === 'in_channel') return ack;
  context.records.answer('ack', askerOf(envelope.payload), ack);
  return { ...ack, response_type: 'ephemeral' };
}

/** One post to a response_url: five within 30 minutes, for the asker alone unless it says otherwise. */
export async function answerResponseUrl(
  context: Context,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { args } = await readArguments(request);
  const { tickets, records, faults } = context;
  const path = request.url ?? '';
  const call = { method: 'response_url', args, at: context.now(), outcome: null as string | null };
  records.calls.push(call);
  const fault = faults.take('response_url', args);
  if (await meetFault(fault, response)) return;

  const asker = tickets.useResponseUrl(path);
  if (typeof asker === 'string') {
    records.refuse('response_url', { error: asker, messages: [] });
    return sendJson(response, 404, { ok: false, error: asker });
  }
  const refusal = args['delete_original'] ? null : checkMessage(args);
  if (refusal) return sendJson(response, 400, { ok: false, ...records.refuse('response_url', refusal) });
  if (args['response_type'] !== 'in_channel') records.answer('response_url', asker, args);
  const body = { response_type: 'ephemeral', ...args };
  const headers = { 'content-type': 'application/json' };
  await fetch(`${context.upstream}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  call.outcome = 'ok';
  if (fault === 'drop-after') response.destroy();
  else response.end('ok');
}

function isSaying(ack: Payload): boolean {
  return Boolean(ack['text'] || ack['blocks']);
}

function askerOf(payload: Payload): { user: string; channel: string } {
  const user = (payload['user'] as Payload | undefined)?.['id'] ?? payload['user_id'];
  const channel = (payload['channel'] as Payload | undefined)?.['id'] ?? payload['channel_id'];
  return { user: String(user ?? ''), channel: String(channel ?? '') };
}
