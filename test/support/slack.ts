import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LocalSlack, type LocalSlackOptions, startLocalSlack } from '../../src/demo/slack.ts';
import type { Context } from './slack/context.ts';
import { createFaults } from './slack/faults.ts';
import { createGate, type Gate } from './slack/gate.ts';
import { createPeople } from './slack/people.ts';
import { createRates } from './slack/rates.ts';
import { createRecords } from './slack/records.ts';
import { createTickets } from './slack/tickets.ts';
import { createViews } from './slack/views.ts';

export type { SlackMessage, ViewOutcome } from '../../src/demo/slack-control.ts';
export type { Delivery } from './slack/envelopes.ts';
export type { Fault } from './slack/faults.ts';
export { textOf, waitFor } from './slack/people.ts';
export type { Answer, Call, Violation } from './slack/records.ts';

const app = { botToken: 'xoxb-strict', appToken: 'xapp-strict', botUserId: 'U0BOT', botName: 'pgorderly' };

const workspace = {
  users: [
    { id: 'U0MIRA', name: 'mira', real_name: 'Mira Voss' },
    { id: 'U0TOM', name: 'tom', real_name: 'Tom Berg' },
    { id: 'U0ANA', name: 'ana', real_name: 'Ana Lund' },
  ],
  channels: [
    { id: 'C0OPS', name: 'ops', members: ['U0MIRA', 'U0TOM', 'U0ANA', 'U0BOT'] },
    { id: 'C0DBA', name: 'dba', members: ['U0MIRA', 'U0TOM', 'U0BOT'] },
    { id: 'C0FOREIGN', name: 'foreign', members: ['U0ANA'] },
  ],
  groups: { S0DBA: ['U0MIRA', 'U0TOM'] },
  scopes: ['chat:write', 'commands', 'usergroups:read', 'users:read'],
};

/** Left out: mira, tom and ana; #ops, #dba and #foreign, which the bot is not in; the group S0DBA of mira and tom. */
export interface SlackOptions extends Partial<Pick<LocalSlackOptions, 'marker' | 'users' | 'channels'>> {
  /** Members of the user groups, by id. */
  groups?: Record<string, string[]>;
  scopes?: string[];
  /** Answers 429 as Slack does; off unless told. */
  rateLimit?: boolean;
  /** Every socket gets every envelope; unless told, each goes to one, in turn. */
  broadcast?: boolean;
}

export type StrictSlack = Awaited<ReturnType<typeof startSlack>>;

/** The local Slack behind a proxy that is as strict as Slack: the app under test talks to `apiUrl`. */
export async function startSlack(options: SlackOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'pgorderly-slack-'));
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  const local = await startLocalSlack({ folder, ...workspace, ...options, app }).catch(async (error) => {
    await removeFolder();
    throw error;
  });
  let aheadMs = 0;
  const context = createContext(local, options, () => Date.now() + aheadMs);
  const gate = createGate(context, options.broadcast ?? false);
  await gate.open();
  return Object.assign(handles(context, gate), {
    /** The page a person would open. */
    url: local.url,
    /** Lets time pass for triggers, response_urls and rate limits. */
    advance(ms: number) {
      aheadMs += ms;
    },
    async stop() {
      await gate.close();
      await local.stop();
      await removeFolder();
    },
  });
}

function createContext(local: LocalSlack, options: SlackOptions, now: () => number): Context {
  return {
    upstream: new URL(local.apiUrl).origin,
    ownUrl: '',
    now,
    control: local.control,
    app,
    groups: { ...(options.groups ?? workspace.groups) },
    scopes: options.scopes ?? workspace.scopes,
    tickets: createTickets(now),
    views: createViews(),
    faults: createFaults(),
    rates: options.rateLimit ? createRates(now) : null,
    records: createRecords(),
    metadata: new Map(),
  };
}

/** What a test acts with and looks at. */
function handles(context: Context, gate: Gate) {
  const { records, faults, groups, control } = context;
  const { deliveries } = gate.socketMode;
  return {
    ...createPeople(control),
    ...app,
    /** For Bolt's `clientOptions.slackApiUrl`. */
    apiUrl: `${context.ownUrl}/api/`,
    control,
    /** May be changed while the app runs. */
    groups,
    calls: records.calls,
    violations: records.violations,
    answers: records.answers,
    /** Every envelope that went to the app. */
    deliveries,
    /** Those it acknowledged. */
    get acks() {
      return deliveries.filter((each) => each.ackMs !== null);
    },
    get connected() {
      return gate.socketMode.connected;
    },
    fail: faults.add,
    /** Refuses connections and cuts those there are. */
    down: gate.close,
    up: gate.open,
    /** Asks every socket to connect anew, as Slack does every few hours. */
    recycle: () => gate.socketMode.recycle(),
    /** No messages, modals, records or faults; the app stays connected. */
    async reset() {
      records.clear();
      faults.clear();
      deliveries.length = 0;
      await control.reset();
    },
  };
}
