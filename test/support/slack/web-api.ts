import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Arguments, Context } from './context.ts';
import { meetFault, readArguments, sendJson } from './http.ts';
import type { Refusal } from './limits.ts';
import { added, amended } from './methods.ts';
import type { Call } from './records.ts';
import { rules } from './rules.ts';

/** One call of the Web API: faults, token, rate, rules; only then does the local Slack get it. */
export async function answerCall(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { args, token } = await readArguments(request);
  const method = methodOf(request);
  const call: Call = { method, args, at: context.now(), outcome: null };
  context.records.calls.push(call);

  const fault = context.faults.take(method, args);
  if (await meetFault(fault, response)) {
    call.outcome = typeof fault === 'string' ? fault : JSON.stringify(fault);
    return;
  }
  const seconds = context.rates?.take(method, args['channel']) ?? null;
  if (seconds !== null) {
    call.outcome = '429';
    return sendJson(response, 429, { ok: false, error: 'ratelimited' }, { 'retry-after': String(seconds) });
  }
  const reply = await perform(context, { method, args, token });
  call.outcome = reply['ok'] === true ? 'ok' : String(reply['error']);
  if (fault === 'drop-after') {
    call.outcome = fault;
    response.destroy();
    return;
  }
  sendJson(response, 200, reply, { 'x-oauth-scopes': context.scopes.join(',') });
}

interface Wanted {
  method: string;
  args: Arguments;
  token: string | null;
}

async function perform(context: Context, wanted: Wanted): Promise<Record<string, unknown>> {
  const { method, args } = wanted;
  const refusal = (await refuse(context, wanted)) ?? null;
  if (refusal) return refused(context.records.refuse(method, refusal));
  const own = added[method]?.(args, context);
  if (own) return own;
  const reply = await forward(context, wanted);
  if (reply['error'] === 'unknown_method') context.records.refuse(method, { error: 'unknown_method', messages: [] });
  const amend = amended[method];
  return amend && reply['ok'] === true ? await amend(reply, args, context) : reply;
}

async function refuse(context: Context, { method, args, token }: Wanted): Promise<Refusal | null> {
  const { botToken, appToken } = context.app;
  if (token === null) return { error: 'not_authed', messages: [] };
  if (token !== botToken && token !== appToken) return { error: 'invalid_auth', messages: [] };
  const needed = method === 'apps.connections.open' ? appToken : botToken;
  if (token !== needed) return { error: 'not_allowed_token_type', messages: [] };
  for (const rule of rules[method] ?? []) {
    const refusal = await rule(args, context);
    if (refusal) return refusal;
  }
  return null;
}

function refused({ error, messages }: Refusal) {
  return { ok: false, error, ...(messages.length > 0 && { response_metadata: { messages } }) };
}

async function forward(context: Context, { method, args, token }: Wanted): Promise<Record<string, unknown>> {
  const viewId = context.views.upstreamId(args['view_id']);
  const answer = await fetch(`${context.upstream}/api/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ ...args, ...(viewId && { view_id: viewId }) }),
  });
  return (await answer.json()) as Record<string, unknown>;
}

function methodOf(request: IncomingMessage): string {
  return new URL(request.url ?? '/', 'http://slack').pathname.replace('/api/', '');
}
