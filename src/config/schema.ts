import { z } from 'zod';
import type { Risk } from '../model.ts';
import { cells, type Environment, isOffByDefault } from './policy-table.ts';
import {
  ChannelId,
  DatabasePattern,
  Duration,
  EnvironmentName,
  Flag,
  Folder,
  Freeze,
  GroupName,
  HttpUrl,
  LastDay,
  NodeName,
  People,
  Port,
  PostgresUrl,
  ProtectedPattern,
  RedisUrl,
  RelationPattern,
  Schedule,
  Secret,
  TargetName,
  Text,
  Threshold,
  Timezone,
  UserId,
  WindowText,
} from './values.ts';

/** The descriptions of this file are the reference in docs/config.md, and the hint where a key is missing. */

const State = z.strictObject({
  url: PostgresUrl.describe("the bot's own database (PostgreSQL 14 or newer); `docker compose up -d state` starts one"),
});

const Queue = z.strictObject({
  redis: RedisUrl.meta({ default: 'none' }).describe(
    'several machines share the work through it; without it the queue is in the state database',
  ),
});

const apiUrl = HttpUrl.optional().describe("a Slack-compatible server's API, instead of Slack's own");
const botToken = Secret.describe('bot token of the Slack app, xoxb-…');

const SocketSlack = z.strictObject({
  mode: z
    .literal('socket')
    .default('socket')
    .meta({ type: 'socket or http' })
    .describe('`socket` needs no public address; `http` is called by Slack'),
  botToken,
  appToken: Secret.describe('mode socket: app-level token with connections:write, xapp-…'),
  apiUrl,
});

const HttpSlack = z.strictObject({
  mode: z.literal('http'),
  botToken,
  signingSecret: Secret.describe('mode http: signing secret of the Slack app'),
  port: Port.default(3000).describe('mode http: where Slack reaches the bot, path /slack/events'),
  apiUrl,
});

const Http = z.strictObject({
  host: Text.default('127.0.0.1').describe('address of health, readiness and metrics'),
  port: Port.default(8080).describe('port of health, readiness and metrics'),
});

const Log = z.strictObject({
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .default('info')
    .describe('least severe line that is written'),
});

const Approvers = z
  .record(GroupName, z.array(UserId).min(1).describe('a group: the people who may approve, by Slack user id'))
  .meta({ key: 'group' });

/** Who must say yes; what is left out is as in the default of this environment and risk. */
export const PolicySettings = z.strictObject({
  people: People.optional().describe('how many different people must approve'),
  of: z.array(Text).min(1).optional().describe('groups of `approvers`; all of them where it is left out'),
  asker: z
    .enum(['counts', 'typed', 'never'])
    .optional()
    .describe("whether the asker's own yes counts; typed: once they typed the target's name and a reason"),
});
export type PolicySettings = z.infer<typeof PolicySettings>;

export const Policies = z.strictObject({
  production: policyTable('production').prefault({}),
  elsewhere: policyTable('elsewhere').prefault({}),
});
export type Policies = z.infer<typeof Policies>;

const Actions = z.strictObject({
  signal: actionUrl('cancel queries and terminate sessions'),
  maintain: actionUrl('vacuum, analyze and reindex'),
  ddl: actionUrl('create and drop indexes, change tables'),
  replication: actionUrl('drop replication slots'),
  settings: actionUrl('change settings'),
});

const Node = z.strictObject({
  name: NodeName.optional()
    .meta({ default: 'host:port of its URL' })
    .describe('what chat calls it; whether it is the primary is read, never configured'),
  url: PostgresUrl.describe('connection for looking: read-only, never used to act'),
  actions: Actions.prefault({}),
});

export const Target = z.strictObject({
  name: TargetName.describe('what chat calls it; unique'),
  environment: EnvironmentName.default('production').describe(
    '`production` uses `policies.production`, every other word `policies.elsewhere`',
  ),
  channel: ChannelId.describe('Slack channel of its alerts, by id'),
  timezone: Timezone.default('UTC').describe('for its windows, and for times in chat'),
  windows: z
    .array(WindowText)
    .default([])
    .describe(
      'when maintenance and changes may begin, always unless told: `Sun 02:00-05:00`, `Mon-Fri 22:00-04:00`; signals never wait',
    ),
  freezes: z.array(Freeze).default([]).describe('when they may not, whatever the windows say'),
  protect: z
    .array(ProtectedPattern)
    .default([])
    .describe('users, or `app:<application_name>`, whose sessions are never touched; `*` stands for anything'),
  report: Schedule.default('0 0 9 * * 1').describe('when its weekly report comes, in its time zone'),
  databases: z
    .array(DatabasePattern)
    .default([])
    .describe('those that jobs look into, all unless told; `*` stands for anything, `!` in front leaves out'),
  nodes: z.array(Node).min(1).describe('its servers, primary and standbys, one entry each'),
});
export type Target = z.infer<typeof Target>;

const thresholdDoes = 'from when on it is trouble; seconds may be written as 15m';

const Ignore = z.strictObject({
  relation: RelationPattern.describe('`schema.name` of a table, with its indexes, or of an index; `*` is anything'),
  target: TargetName.optional().meta({ default: 'all targets' }).describe('only on this one'),
  database: Text.default('*').describe('only in databases whose name fits'),
  reason: Text.describe('why nobody needs to hear of it'),
  until: LastDay.describe('the last day, in UTC; `config check` says when it is over'),
});

export const JobSettings = z.strictObject({
  enabled: Flag.default(true).describe('false: this job is not run'),
  schedule: Schedule.optional().meta({ default: "the job's own" }).describe('when it looks'),
  after: Duration.optional().meta({ default: "the job's own" }).describe('found for this long before an alert fires'),
  thresholds: z
    .record(z.string(), Threshold.meta({ default: "the job's own" }).describe(thresholdDoes))
    .meta({ key: 'threshold' })
    .default({}),
  ignore: z.array(Ignore).default([]).describe('relations that this job passes over'),
});
export type JobSettings = z.infer<typeof JobSettings>;

export const ConfigFile = z.strictObject({
  state: State.describe('where the bot keeps what it knows; `docker compose up -d state` starts one'),
  queue: Queue.optional(),
  slack: z.discriminatedUnion('mode', [SocketSlack, HttpSlack]).describe('botToken and appToken of the Slack app'),
  http: Http.prefault({}),
  log: Log.prefault({}),
  approvers: Approvers.default({}),
  policies: Policies.prefault({}),
  targets: z.array(Target).min(1).describe('the PostgreSQL clusters that are watched'),
  runbooks: Folder.optional().describe("a folder with your own runbooks, beside pgorderly's; relative to this file"),
  jobs: z.record(z.string(), JobSettings.prefault({})).meta({ key: 'job' }).default({}),
});
export type ConfigFile = z.infer<typeof ConfigFile>;

function policyTable(environment: Environment) {
  return z.strictObject({
    low: policy(environment, 'low'),
    medium: policy(environment, 'medium'),
    high: policy(environment, 'high'),
    irreversible: policy(environment, 'irreversible'),
  });
}

function policy(environment: Environment, risk: Risk) {
  const { people, asker } = cells[environment][risk];
  const cell = `{ people: ${people}, asker: ${asker} }`;
  return z
    .union([z.literal('off'), PolicySettings])
    .optional()
    .meta({
      type: 'off, or a mapping of people, of, asker',
      default: isOffByDefault(risk) ? `off; once allowed ${cell}` : cell,
    })
    .describe(`who must approve a runbook of risk ${risk}; off: none is run`);
}

function actionUrl(does: string) {
  return PostgresUrl.optional()
    .meta({ default: 'observe only' })
    .describe(`login that may ${does}; without it the bot never does`);
}
