import type { AnyBlock, View } from '@slack/types';
import { WebSocket } from 'undici';

/** A message as the local Slack stores it; an ephemeral one carries `ephemeral_to`. */
export interface SlackMessage {
  ts: string;
  channel: string;
  user?: string;
  bot_id?: string;
  app_id?: string;
  text?: string;
  blocks?: AnyBlock[];
  thread_ts?: string;
  subtype?: string;
  ephemeral_to?: string;
  edited?: { user: string; ts: string };
  reactions?: { name: string; users: string[]; count: number }[];
}

/** A modal that is open on the page. */
export type OpenView = View & { id: string; hash: string };

/** `{ [block_id]: { [action_id]: { type, value | selected_option | … } } }`, as in a submission's `state.values`. */
export type ViewValues = Record<string, Record<string, Record<string, unknown>>>;

export interface ViewOutcome {
  /** By block_id, when the app refused the input. */
  errors: Record<string, string> | null;
  /** What the person sees afterwards; null once the modal is closed. */
  view: OpenView | null;
}

export interface SlackState {
  workspace: { name: string; domain: string; teamId: string };
  apps: { appId: string; botUserId: string; mode: string }[];
  users: { id: string; name: string; real_name?: string; is_bot: boolean }[];
  channels: { id: string; name: string; members: string[]; is_im: boolean; is_private: boolean }[];
}

export interface SlackLogEntry {
  time: number;
  direction: 'to_bot' | 'from_bot' | 'internal';
  kind: string;
  summary: string;
  detail?: unknown;
}

export interface BlockAction {
  type: string;
  action_id: string;
  block_id: string;
  value?: string;
  text?: unknown;
  selected_option?: unknown;
}

type UiEvent =
  | { t: 'init'; state: { modalStack: OpenView[] } }
  | { t: 'view'; stack: OpenView[] }
  | { t: 'view_errors'; errors: Record<string, string> };

export type SlackControl = ReturnType<typeof createSlackControl>;

/**
 * What people do in the local Slack and what they see. Calls that reach the app answer once it has acknowledged,
 * or after five seconds without. One modal stack is shared by all people of the local Slack.
 */
export function createSlackControl(url: string) {
  const post = (path: string, body: object) => request(url, path, { method: 'POST', body: JSON.stringify(body) });
  const get = (path: string) => request(url, path, { method: 'GET' });
  return {
    state: async () => (await get('state')) as unknown as SlackState,
    log: async () => (await get('log'))['log'] as SlackLogEntry[],
    messages: async (channel: string) => (await get(`messages/${channel}`))['messages'] as SlackMessage[],
    say: async (message: { channel: string; user: string; text: string; thread_ts?: string }) =>
      (await post('message', message))['message'] as SlackMessage,
    interact: (click: { channel: string; messageTs: string; user: string; action: BlockAction }) =>
      post('interact', click),
    command: (command: { channel: string; user: string; command: string; text: string }) => post('command', command),
    openHome: (user: string) => post('open-home', { user }),
    react: (reaction: { channel: string; ts: string; user: string; name: string; present?: boolean }) =>
      post('reaction', reaction),
    /** Back to what the configuration says: no messages, no modals, an empty log. */
    reset: () => post('reset', {}),
    modal: () =>
      onPage<OpenView | null>(url, null, (event) => (event.t === 'init' ? top(event.state.modalStack) : undefined)),
    submitView: (user: string, values: ViewValues) =>
      onPage<ViewOutcome>(url, { t: 'view_submit', user, values }, (event) => {
        if (event.t === 'view') return { errors: null, view: top(event.stack) };
        return event.t === 'view_errors' ? { errors: event.errors, view: null } : undefined;
      }),
    closeView: (user: string) =>
      onPage<true>(url, { t: 'view_close', user }, (event) => (event.t === 'view' ? true : undefined)),
  };
}

async function request(url: string, path: string, init: RequestInit): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/_control/${path}`, { ...init, headers });
  const body = (await response.json()) as Record<string, unknown>;
  if (!response.ok || body['ok'] === false) {
    throw new Error(`the local Slack refused ${path}: ${String(body['error'] ?? response.status)}`);
  }
  return body;
}

function top(stack: OpenView[]): OpenView | null {
  return stack.at(-1) ?? null;
}

/** Acts over the page's own socket, the only way to a modal; `answer` picks the event that ends it. */
function onPage<T>(url: string, action: object | null, answer: (event: UiEvent) => T | undefined): Promise<T> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ui`);
  return new Promise<T>((resolve, reject) => {
    const fail = (reason: string) => reject(new Error(`the local Slack's page ${reason}`));
    const timer = setTimeout(() => fail('did not answer within 8 s'), 8_000);
    socket.addEventListener('error', () => fail('cannot be reached'));
    socket.addEventListener('close', () => fail('closed the connection'));
    socket.addEventListener('message', ({ data }) => {
      const event = JSON.parse(String(data)) as UiEvent;
      if (event.t === 'init' && action) socket.send(JSON.stringify(action));
      const found = answer(event);
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    });
  }).finally(() => socket.close());
}
