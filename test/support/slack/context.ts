import type { SlackControl } from '../../../src/demo/slack-control.ts';
import type { Faults } from './faults.ts';
import type { Rates } from './rates.ts';
import type { Records } from './records.ts';
import type { Tickets } from './tickets.ts';
import type { Views } from './views.ts';

export type Arguments = Record<string, unknown>;

/** What the parts of the strict Slack share. */
export interface Context {
  /** http://… of the local Slack. */
  upstream: string;
  /** http://… of the proxy; empty until it listens. */
  ownUrl: string;
  now(): number;
  control: SlackControl;
  app: { botToken: string; appToken: string; botUserId: string };
  /** Members of each user group, by its id. */
  groups: Record<string, string[]>;
  /** What the bot token may do, sent as x-oauth-scopes. */
  scopes: string[];
  tickets: Tickets;
  views: Views;
  faults: Faults;
  /** Null while nothing is limited. */
  rates: Rates | null;
  records: Records;
  /** Of messages, by channel and ts: local-slack drops it. */
  metadata: Map<string, unknown>;
}
