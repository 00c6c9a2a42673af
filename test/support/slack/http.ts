import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Arguments } from './context.ts';
import type { FaultKind } from './faults.ts';

/** The fields that Slack's client sends as JSON inside a form. */
const jsonFields = ['blocks', 'attachments', 'view', 'metadata'];

/** Arguments from query and body, as a form or as JSON, and the token they came with. */
export async function readArguments(request: IncomingMessage): Promise<{ args: Arguments; token: string | null }> {
  const body = Buffer.concat(await request.toArray()).toString();
  const query = Object.fromEntries(new URL(request.url ?? '/', 'http://slack').searchParams);
  const isJson = request.headers['content-type']?.includes('json');
  const { token, ...args }: Arguments = { ...query, ...(isJson ? parse(body || '{}') : fromForm(body)) };
  const bearer = request.headers.authorization?.replace(/^Bearer /, '');
  return { args, token: bearer ?? (token === undefined ? null : String(token)) };
}

export function sendJson(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}) {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** Lets the fault happen; true if the call ends with it. `drop-after` is the caller's to do. */
export async function meetFault(fault: FaultKind | null, response: ServerResponse): Promise<boolean> {
  if (fault === null || fault === 'drop-after' || fault === 'stall') return fault === 'stall';
  if (fault === 'drop-before') {
    response.destroy();
  } else if ('delayMs' in fault) {
    await delay(fault.delayMs);
    return false;
  } else if ('error' in fault) {
    sendJson(response, 200, { ok: false, error: fault.error });
  } else {
    const headers = fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
    sendJson(response, fault.status, { ok: false, error: fault.status === 429 ? 'ratelimited' : 'fault' }, headers);
  }
  return true;
}

function fromForm(body: string): Arguments {
  const fields = Object.fromEntries(new URLSearchParams(body)) as Arguments;
  for (const name of jsonFields) if (fields[name] !== undefined) fields[name] = parse(String(fields[name]));
  return fields;
}

function parse(text: string): Arguments {
  return JSON.parse(text) as Arguments;
}
