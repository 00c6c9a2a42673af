import { setTimeout as sleep } from 'node:timers/promises';
import { makeDueReports } from './alerts/report.ts';
import type { Config } from './config/config.ts';
import type { AnyJob } from './detect/job.ts';
import { startTicks } from './detect/ticks.ts';
import { createMetrics } from './http/metrics.ts';
import { startHttp } from './http/server.ts';
import { errorFields, type Logger } from './log.ts';
import { openRemedy } from './open-remedy.ts';
import { openTarget } from './open-target.ts';
import { openBackend } from './queue/backend.ts';
import { Queues } from './queue/queues.ts';
import { repeat } from './queue/sweep.ts';
import type { RemedyContext } from './remedy/context.ts';
import { executeRun } from './remedy/execute.ts';
import { expireProposals } from './remedy/expire.ts';
import { recoverRun } from './remedy/recover.ts';
import type { Runbook } from './remedy/runbook/runbook.ts';
import { beginScheduled, holdRun } from './remedy/schedule.ts';
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
import { findDueRuns, handOverAll } from './state/leases.ts';
import { countRunsByState } from './state/runs.ts';
import { rollUpSamples } from './state/samples.ts';
import { resolveUrl } from './targets/url.ts';

export interface ServiceOptions {
  config: Config;
  jobs: readonly AnyJob[];
  runbooks: ReadonlyMap<string, Runbook>;
  log: Logger;
  timing?: Timing;
}

/** A lost worker goes unnoticed for a lease and a sweep at the most; a stop waits so long for what is under way. */
export interface Timing {
  leaseSeconds: number;
  sweepSeconds: number;
  patienceSeconds: number;
}

export interface Service {
  /** The port that health and metrics are served on. */
  httpPort: number;
  /** Not ready, no new claims, at most 20 s for what is under way, then all is closed. */
  stop(): Promise<void>;
}

const usualTiming: Timing = { leaseSeconds: 15, sweepSeconds: 30, patienceSeconds: 20 };
/** What can't be closed by then is left to the end of the process. */
const closeMs = 2_000;

/** Wires the service and starts it. Throws state-unreachable or state-newer; an unreachable Slack or target does not stop it. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, jobs, log, timing = usualTiming } = options;
  const state = new StateDatabase(config.state.url, log);
  await state.start().catch(async (error) => {
    await state.close();
    throw error;
  });
  const isSlow = (name: string) => jobs.some((job) => job.name === name && job.scope === 'database');
  const queues = new Queues(await openBackend(config.queue.redis, resolveUrl(config.state.url), log), log, isSlow);
  const metrics = createMetrics({
    runsByState: () => countRunsByState(state.pool),
    cardsLagging: () => readCardsLagging(state.pool),
    inboxAgeSeconds: () => readInboxAge(state.pool),
  });
  const targets = new Map(config.targets.map((target) => [target.name, openTarget(config, target, log)]));
  const stopping = new AbortController();
  const { remedy, checkNow } = openRemedy({
    ...options,
    pool: state.pool,
    targets,
    nudges: queues,
    leaseSeconds: timing.leaseSeconds,
    stopping: stopping.signal,
    onCheck: ({ job, outcome, durationMs }) => metrics.countCheck(job, outcome, durationMs / 1000),
  });

  const chat = openChat(config.slack, log);
  const timezoneOf = (name: string) => config.targets.find((target) => target.name === name)?.timezone ?? 'UTC';
  const reportTimeOf = (name: string) => ({
    schedule: config.targets.find((target) => target.name === name)?.report ?? '',
    timezone: timezoneOf(name),
  });
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
    leaseSeconds: timing.leaseSeconds,
    timezoneOf: (channel: string) => timezoneOf(config.targets.find((one) => one.channel === channel)?.name ?? ''),
    onError: (code: string) => metrics.countSlackError(code),
    again: (channel: string, afterSeconds: number) => queues.channelAgain(channel, afterSeconds),
    isStopping: () => isStopping,
  };
  let isStopping = false;
  queues.work(
    {
      check: async (job, target, tickAt) => {
        if (!remedy.jobs.has(job) || !targets.has(target)) return;
        if (await claimCheck(state.pool, { job, target, tickAt, leaseSeconds: timing.leaseSeconds }))
          await checkNow(job, target);
      },
      run: async (id) => {
        await holdRun(remedy, id);
        await executeRun(remedy, id);
        await recoverRun(remedy, id);
      },
      channel: (channel) => drainChannel(drain, channel),
    },
    { concurrency: 4, lockMs: timing.leaseSeconds * 1000 },
  );
  chat.start(slack);

  const sweep = [
    () => expireProposals(remedy),
    () => beginScheduled(remedy),
    async () => {
      for (const id of await findDueRuns(state.pool)) await queues.run(id);
    },
    async () => {
      for (const channel of await findLaggingChannels(state.pool)) await queues.channelAgain(channel, 0);
    },
    () => sweepInbox(slack),
    () => queues.clean(),
    () => rollUpSamples(state.pool),
    () => makeDueReports(remedy, reportTimeOf),
  ];
  const sweeping = repeat(sweep, timing.sweepSeconds * 1000, log);
  const heads = repeat([async () => log.info(await readAuditHead(state.pool), 'audit head')], 3_600_000, log);
  const ticks = startTicks(
    [...remedy.jobs.keys()].map((job) => ({
      job,
      schedule: config.jobs.get(job)?.schedule ?? '',
      targets: [...targets.keys()],
    })),
    (job, target, at) =>
      queues.tick(job, target, at).catch((error) => log.warn({ job, target, ...errorFields(error) }, 'tick lost')),
  );

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
      queue: queues.state(),
      slack: chat.state(),
    }),
  });
  log.info({ targets: targets.size, jobs: remedy.jobs.size, port: http.port }, 'started');

  return {
    httpPort: http.port,
    stop: async () => {
      isStopping = true;
      stopping.abort();
      log.info({ patienceSeconds: timing.patienceSeconds }, 'stopping: no new claims');
      const working = [ticks.stop(), chat.stop(), sweeping.stop(), heads.stop(), queues.stopWorking()];
      if (!(await within(timing.patienceSeconds * 1000, working, log))) await within(closeMs, [giveBack(remedy)], log);
      const nodes = [...targets.values()].flatMap((target) => target.nodes);
      const readers = nodes.flatMap(({ reader, lane }) => (lane ? [reader, lane] : [reader]));
      await within(closeMs, [queues.close(), ...readers.map((reader) => reader.close())], log);
      await within(closeMs, [state.close(), http.close()], log);
      log.info({}, 'stopped');
    },
  };
}

/** What is not finished is for another replica, now: it need not wait for the lease to end. */
async function giveBack({ pool, owner, nudges, log }: RemedyContext): Promise<void> {
  for (const id of await handOverAll(pool, owner)) {
    log.warn({ run: id }, 'run handed over');
    await nudges.run(id);
  }
}

/** Waits for all of them, however they end; false where some are still at it after that time. */
async function within(ms: number, endings: Promise<unknown>[], log: Logger): Promise<boolean> {
  const patience = new AbortController();
  const late = sleep(ms, false, { signal: patience.signal });
  const ended = Promise.allSettled(endings).then((results) => {
    for (const result of results)
      if (result.status === 'rejected') log.warn(errorFields(result.reason), 'did not end well');
    return true;
  });
  return Promise.race([ended, late]).finally(() => patience.abort());
}
