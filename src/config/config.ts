import { resolve } from 'node:path';
import type { AnyJob } from '../detect/job.ts';
import { type Risk, type RunbookClass, risks, runbookClasses } from '../model.ts';
import { endOf, type Freeze, type Window } from './hours.ts';
import { type AskerRule, cells, type Environment, environmentOf, isOffByDefault } from './policy-table.ts';
import type { ConfigFile, JobSettings, Policies, PolicySettings, Target } from './schema.ts';
import { readPlace } from './url.ts';

/** The configuration with everything filled in: no reader of it needs to know a default. */
export interface Config {
  state: { url: string };
  /** Null: the queue is in the state database. */
  queue: { redis: string | null };
  slack: SlackConfig;
  http: { host: string; port: number };
  log: { level: string };
  /** Slack user ids, by group. */
  approvers: ReadonlyMap<string, readonly string[]>;
  policies: Record<Environment, Record<Risk, Policy | 'off'>>;
  targets: readonly TargetConfig[];
  /** The folder of the user's own runbooks, absolute; null where there is none. */
  runbooks: string | null;
  /** Every known job, by name. */
  jobs: ReadonlyMap<string, JobConfig>;
}

/** `apiUrl` ends in a slash; null is Slack's own. */
export type SlackConfig =
  | { mode: 'socket'; botToken: string; appToken: string; apiUrl: string | null }
  | { mode: 'http'; botToken: string; signingSecret: string; port: number; apiUrl: string | null };

export interface Policy {
  people: number;
  /** Slack user ids, each once. */
  of: readonly string[];
  /** The groups they come from, as messages name them. */
  groups: readonly string[];
  asker: AskerRule;
}

export interface TargetConfig {
  name: string;
  environment: string;
  /** Which half of `policies` its environment uses. */
  policies: Environment;
  channel: string;
  timezone: string;
  /** When runs that last or change something may begin; always where there are none. */
  windows: readonly Window[];
  /** When they may not. */
  freezes: readonly Freeze[];
  /** When its weekly report comes: six cron fields, in its time zone. */
  report: string;
  /** Users, or `app:` and an application_name; `*` stands for anything. */
  protect: readonly string[];
  /** Patterns; with none, all databases are looked into. */
  databases: readonly string[];
  nodes: readonly NodeConfig[];
}

export interface NodeConfig {
  name: string;
  url: string;
  /** A class without a URL is not acted upon; none at all is observe-only. */
  actions: Readonly<Partial<Record<RunbookClass, string>>>;
}

export interface JobConfig {
  isEnabled: boolean;
  /** Six cron fields. */
  schedule: string;
  afterSeconds: number;
  thresholds: Readonly<Record<string, number>>;
  ignores: readonly Ignore[];
}

/** Relations that a job passes over. */
export interface Ignore {
  relation: string;
  /** Null: on all. */
  target: string | null;
  database: string;
  reason: string;
  endsAt: Date;
}

export function isObserveOnly(target: TargetConfig): boolean {
  return target.nodes.every((node) => Object.keys(node.actions).length === 0);
}

/** The file, checked, with all defaults; what is relative in it is so to `folder`. */
export function resolveConfig(file: ConfigFile, jobs: readonly AnyJob[], folder: string): Config {
  const approvers = new Map(Object.entries(file.approvers));
  return {
    state: file.state,
    queue: { redis: file.queue?.redis ?? null },
    slack: resolveSlack(file.slack),
    http: file.http,
    log: file.log,
    approvers,
    policies: {
      production: resolvePolicies(file.policies, 'production', approvers),
      elsewhere: resolvePolicies(file.policies, 'elsewhere', approvers),
    },
    targets: file.targets.map(resolveTarget),
    runbooks: file.runbooks === undefined ? null : resolve(folder, file.runbooks),
    jobs: new Map(jobs.map((job) => [job.name, resolveJob(job, findOwn(file.jobs, job.name))])),
  };
}

/** What holds for one risk, as far as the groups are known; 'off' where nothing of this risk is run. */
export function resolvePolicy(
  settings: PolicySettings | 'off' | undefined,
  at: { environment: Environment; risk: Risk },
  approvers: ReadonlyMap<string, readonly string[]>,
): Policy | 'off' {
  if (settings === 'off' || (settings === undefined && isOffByDefault(at.risk))) return 'off';
  const cell = cells[at.environment][at.risk];
  const groups = settings?.of ?? [...approvers.keys()];
  return {
    people: settings?.people ?? cell.people,
    of: [...new Set(groups.flatMap((group) => approvers.get(group) ?? []))],
    groups,
    asker: settings?.asker ?? cell.asker,
  };
}

/** What a node is called that was given no name; null where its URL cannot be read. */
export function defaultNodeName(url: string): string | null {
  const place = readPlace(url);
  return 'host' in place ? `${place.host}:${place.port}` : null;
}

function resolveSlack(slack: ConfigFile['slack']): SlackConfig {
  return { ...slack, apiUrl: slack.apiUrl === undefined ? null : slack.apiUrl.replace(/\/*$/, '/') };
}

function resolvePolicies(
  file: Policies,
  environment: Environment,
  approvers: ReadonlyMap<string, readonly string[]>,
): Record<Risk, Policy | 'off'> {
  const policies = risks.map((risk) => [
    risk,
    resolvePolicy(file[environment][risk], { environment, risk }, approvers),
  ]);
  return Object.fromEntries(policies) as Record<Risk, Policy | 'off'>;
}

function resolveTarget(target: Target): TargetConfig {
  return {
    ...target,
    policies: environmentOf(target.environment),
    freezes: target.freezes.map(({ from, until, reason }) => ({ from: from.at, until: endOf(until), reason })),
    nodes: target.nodes.map(({ name, url, actions }) => ({
      name: name ?? defaultNodeName(url) ?? '',
      url,
      actions: Object.fromEntries(
        runbookClasses.flatMap((runbookClass) => {
          const url = actions[runbookClass];
          return url === undefined ? [] : [[runbookClass, url]];
        }),
      ),
    })),
  };
}

function resolveJob(job: AnyJob, settings: JobSettings | undefined): JobConfig {
  const declared = Object.entries(job.thresholds as Record<string, { default: number }>);
  const given = settings?.thresholds ?? {};
  return {
    isEnabled: settings?.enabled ?? true,
    schedule: settings?.schedule ?? job.schedule,
    afterSeconds: settings?.after ?? job.fire.afterSeconds,
    thresholds: Object.fromEntries(declared.map(([name, one]) => [name, findOwn(given, name) ?? one.default])),
    ignores: (settings?.ignore ?? []).map(({ until, target = null, ...one }) => ({ ...one, target, endsAt: until })),
  };
}

function findOwn<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
