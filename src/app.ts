import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordCheck } from './alerts/record.ts';
import type { Config, TargetConfig } from './config/config.ts';
import { type Checked, checkTarget } from './detect/check.ts';
import type { AnyJob } from './detect/job.ts';
import { startTicks } from './detect/ticks.ts';
import { createMetrics } from './http/metrics.ts';
import { startHttp } from './http/server.ts';
import { errorFields, type Logger } from './log.ts';
import { openBackend } from './queue/backend.ts';
import { Queues } from './queue/queues.ts';
import type { RemedyContext, RemedyTarget } from './remedy/context.ts';
import { executeRun } from './remedy/execute.ts';
import { expireProposals } from './remedy/expire.ts';
import { recoverRun } from './remedy/recover.ts';
import type { Runbook } from './remedy/runbook.ts';
import { openChat } from './slack/bolt.ts';
import type { SlackContext } from './slack/context.ts';
import { drainChannel } from './slack/drain.ts';
import { sweepInbox } from './slack/intake.ts';
import { readAuditHead } from './state/audit.ts';
import { readCardsLagging } from './state/cards.ts';
import { findLaggingChannels } from './state/channels.ts';
import { claimCheck } from './state/checks.ts';
import { StateDatabase } from './state/database.ts';
import { readInboxAge } from './state/inbox.ts';
import { findDueRuns } from './state/leases.ts';
import { countRunsByState } from './state/runs.ts';
import { protectedBecause } from './targets/protect.ts';
import { Reader } from './targets/reader.ts';
import { resolveUrl } from './targets/url.ts';

export interface ServiceOptions {
  config: Config;
  jobs: readonly AnyJob[];
  runbooks: ReadonlyMap<string, Runbook>;
  log: Logger;
}

export interface Service {
  /** The port that health and metrics are served on. */
  httpPort: number;
  /** Not ready, no new claims, at most 20 s for what is under way, then all is closed. */
  stop(): Promise<void>;
}

const sweepMs = 30_000;
const patienceMs = 20_000;

/** Wires the service and starts it. Throws state-unreachable or state-newer; an unreachable Slack or target does not stop it. */
export async function startService({ config, jobs, runbooks, log }: ServiceOptions): Promise<Service> {
  const state = new StateDatabase(config.state.url, log);
  await state.start().catch(async (error) => {
    await state.close();
    throw error;
  });
  const queues = new Queues(await openBackend(config.queue.redis, resolveUrl(config.state.url), log), log);
  const metrics = createMetrics({
    runsByState: () => countRunsByState(state.pool),
    cardsLagging: () => readCardsLagging(state.pool),
    inboxAgeSeconds: () => readInboxAge(state.pool),
  });
  const targets = new Map(config.targets.map((target) => [target.name, openTarget(config, target, log)]));
  const enabled = jobs.filter((job) => config.jobs.get(job.name)?.isEnabled !== false);
  const byName = new Map(enabled.map((job) => [job.name, job]));
  const settingsOf = (job: string) => {
    const settings = config.jobs.get(job);
    if (!settings) throw new Error(`no settings for the job ${job}`);
    return settings;
  };

  const look = async (jobName: string, targetName: string, thresholds: Record<string, number>): Promise<Checked> => {
    const [job, target] = [byName.get(jobName), targets.get(targetName)];
    if (!job || !target) throw new Error(`no job ${jobName} on a target ${targetName}`);
    const checked = await checkTarget(job, target, thresholds);
    metrics.countCheck(jobName, checked.result.outcome, checked.result.durationMs / 1000);
    return checked;
  };
  const remedy: RemedyContext = {
    pool: state.pool,
    runbooks,
    jobs: byName,
    targets,
    recheck: async (job, target, everything) => {
      const { thresholds } = settingsOf(job);
      const zero = Object.fromEntries(Object.keys(thresholds).map((name) => [name, 0]));
      return (await look(job, target, everything ? zero : thresholds)).result;
    },
    nudges: queues,
    log,
    owner: randomUUID(),
  };
  const checkNow = async (job: string, target: string): Promise<Checked> => {
    const { thresholds, afterSeconds } = settingsOf(job);
    const checked = await look(job, target, thresholds);
    const known = byName.get(job);
    if (known) await recordCheck({ context: remedy, job: known, afterSeconds, checked });
    return checked;
  };

  const chat = openChat(config.slack, log);
  const timezoneOf = (name: string) => config.targets.find((target) => target.name === name)?.timezone ?? 'UTC';
  const slack: SlackContext = {
    remedy,
    state,
    approvers: new Set([...config.approvers.values()].flat()),
    timezoneOf,
    checkNow,
  };
  const drain = {
    pool: state.pool,
    client: chat.app.client,
    log,
    owner: remedy.owner,
    timezoneOf: (channel: string) => timezoneOf(config.targets.find((one) => one.channel === channel)?.name ?? ''),
    onError: (code: string) => metrics.countSlackError(code),
  };
  queues.work(
    {
      check: async (job, target, tickAt) => {
        if (!byName.has(job) || !targets.has(target)) return;
        if (await claimCheck(state.pool, job, target, tickAt)) await checkNow(job, target);
      },
      run: async (id) => {
        await executeRun(remedy, id);
        await recoverRun(remedy, id);
      },
      channel: (channel) => drainChannel(drain, channel),
    },
    { checks: 4, runs: 4, channels: 4 },
  );
  chat.start(slack);

  const sweep = async () => {
    await expireProposals(remedy);
    for (const id of await findDueRuns(state.pool)) await queues.run(id);
    for (const channel of await findLaggingChannels(state.pool)) await queues.channel(channel);
    await sweepInbox(slack);
    await queues.clean();
  };
  const sweeping = repeat(sweep, sweepMs, log);
  const heads = repeat(async () => log.info(await readAuditHead(state.pool), 'audit head'), 3_600_000, log);
  const ticks = startTicks(
    enabled.map((job) => ({ job: job.name, schedule: settingsOf(job.name).schedule, targets: [...targets.keys()] })),
    (job, target, at) =>
      queues.tick(job, target, at).catch((error) => log.warn({ job, target, ...errorFields(error) }, 'tick lost')),
  );

  let isStopping = false;
  const http = await startHttp({
    ...config.http,
    log,
    metrics,
    parts: async () => ({
      service: isStopping ? { ok: false, detail: 'stopping' } : { ok: true },
      state: await state.pool.query('select').then(
        () => ({ ok: true }),
        (error) => ({ ok: false, detail: errorFields(error).code }),
      ),
      slack: chat.state(),
    }),
  });
  log.info({ targets: targets.size, jobs: enabled.length, port: http.port }, 'started');

  return {
    httpPort: http.port,
    stop: async () => {
      isStopping = true;
      log.info({}, 'stopping: no new claims, 20 s for what is under way');
      await ticks.stop();
      sweeping.stop();
      heads.stop();
      await Promise.race([queues.stopWorking(), sleep(patienceMs, undefined, { ref: false })]);
      await chat.stop();
      await queues.close();
      await Promise.all([...targets.values()].flatMap((target) => target.nodes.map((node) => node.reader.close())));
      await http.close();
      await state.close();
      log.info({}, 'stopped');
    },
  };
}

function openTarget(config: Config, target: TargetConfig, log: Logger): RemedyTarget {
  const nodes = target.nodes.map((node) => ({
    name: node.name,
    reader: new Reader({ name: node.name, url: node.url, log }),
    actionUrls: node.actions,
  }));
  return {
    name: target.name,
    environment: target.environment,
    channel: target.channel,
    nodes,
    protectedBecause: protectedBecause({
      ownPids: () => nodes.flatMap((node) => node.reader.pids()),
      names: target.protect,
    }),
    policyFor: (risk) => {
      const policy = config.policies[target.policies][risk];
      return policy === 'off' ? null : { risk, people: policy.people, of: policy.of, asker: policy.asker };
    },
  };
}

/** Runs `work` now and then again and again, one at a time; what fails is logged and tried at the next turn. */
function repeat(work: () => Promise<unknown>, everyMs: number, log: Logger): { stop(): void } {
  let isStopped = false;
  let timer: NodeJS.Timeout;
  const turn = async () => {
    await work().catch((error) => log.error(errorFields(error), 'sweep failed; the next one tries again'));
    if (!isStopped) timer = setTimeout(turn, everyMs);
  };
  void turn();
  return {
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
