import { jobs } from '../../jobs/index.ts';
import { recordCheck } from '../../src/alerts/record.ts';
import { type Checked, checkTarget } from '../../src/detect/check.ts';
import { createLog } from '../../src/log.ts';
import type { Person } from '../../src/model.ts';
import { type AskedByHand, planByHand } from '../../src/remedy/by-hand.ts';
import type { RemedyContext, RemedyNode, RemedyTarget } from '../../src/remedy/context.ts';
import { type Decided, decideRun } from '../../src/remedy/decide.ts';
import { executeRun } from '../../src/remedy/execute.ts';
import { openPlan, type Plan, subjectOf } from '../../src/remedy/plan.ts';
import { newRun } from '../../src/remedy/propose.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';
import type { Calendar } from '../../src/remedy/window.ts';
import { StateDatabase, transaction } from '../../src/state/database.ts';
import { insertRun, readRun, type StoredRun } from '../../src/state/runs.ts';
import { protectedBecause } from '../../src/targets/protect.ts';
import { Reader } from '../../src/targets/reader.ts';
import { SlowLane } from '../../src/targets/slow-lane.ts';

export interface RemedyOptions {
  stateUrl: string;
  monitorUrl: string;
  signalUrl: string;
  /** Logins of the other classes. */
  actions?: RemedyNode['actionUrls'];
  /** Of the targets, which are all the same server; the first is what `ask` and `propose` are about. */
  targets: readonly [string, ...string[]];
  /** Users or application names, as on a config's protect list. */
  protect?: readonly string[];
  /** Open at all times unless told. */
  calendar?: Partial<Calendar>;
}

/** The way from a finding, or a person's wish, to a run's end: without chat and queues, all else as in the service. */
export interface Remedy {
  context: RemedyContext;
  /** Ids and names that were nudged, such as `channel C0OPS`. */
  nudged: string[];
  /** Checks with all thresholds at zero and records it; what is proposed about `pid` then, or about anybody. */
  propose(job: string, pid?: number, target?: string): Promise<StoredRun[]>;
  /** As `/pg run` does; times that were left out of `params` are read from the server. */
  ask(runbook: string, params: Record<string, string>): Promise<StoredRun>;
  approve(run: StoredRun): Promise<Decided>;
  execute(run: StoredRun): Promise<StoredRun>;
  /** Approves and executes. */
  carryOut(run: StoredRun): Promise<StoredRun>;
  close(): Promise<void>;
}

export const approver: Person = { userId: 'U0MIRA', teamId: 'T0ORDER' };

export async function openRemedy(options: RemedyOptions): Promise<Remedy> {
  const log = createLog('silent');
  const state = new StateDatabase(options.stateUrl, log);
  await state.start();
  const nudged: string[] = [];
  const targets = new Map(options.targets.map((name) => [name, openTarget(name, options)]));
  const context: RemedyContext = {
    pool: state.pool,
    runbooks: await loadRunbooks(runbooksFolder),
    jobs: new Map(jobs.map((job) => [job.name, job])),
    targets,
    recheck: async (job, target) => (await look(context, job, target)).result,
    nudges: {
      check: async (job, target) => void nudged.push(`check ${job} ${target}`),
      run: async (id) => void nudged.push(`run ${id}`),
      channel: async (channel) => void nudged.push(`channel ${channel}`),
    },
    log,
    owner: 'test',
    leaseSeconds: 15,
    stopping: new AbortController().signal,
  };
  const approve = (run: StoredRun) => decide(context, run);
  const execute = async (run: StoredRun) => {
    await executeRun(context, run.id);
    return findRun(context, run.id);
  };
  return {
    context,
    nudged,
    propose: (job, pid, target = options.targets[0]) => propose(context, { job, pid, target }),
    ask: (runbook, params) => ask(context, { runbook, target: options.targets[0], params }),
    approve,
    execute,
    carryOut: async (run) => {
      await approve(run);
      return execute(run);
    },
    close: async () => {
      await Promise.all(
        [...targets.values()].flatMap(({ nodes }) =>
          nodes.flatMap(({ reader, lane }) => [reader.close(), lane?.close()]),
        ),
      );
      await state.close();
    },
  };
}

export function planOf(run: StoredRun): Plan {
  return openPlan(run.plan, run.planHash);
}

function openTarget(
  name: string,
  { monitorUrl, signalUrl, actions, protect = [], calendar }: RemedyOptions,
): RemedyTarget {
  const reader = new Reader({ name: 'main', url: monitorUrl });
  const lane = new SlowLane({ name: 'main', url: monitorUrl });
  return {
    name,
    environment: 'production',
    channel: 'C0OPS',
    actingPids: new Set(),
    calendar: { timezone: 'UTC', windows: [], freezes: [], ...calendar },
    nodes: [{ name: 'main', reader, lane, actionUrls: { signal: signalUrl, ...actions } }],
    protectedBecause: protectedBecause({ ownPids: () => reader.pids(), names: protect }),
    policyFor: (risk) => ({ risk, people: 1, of: [approver.userId], asker: 'counts' }),
  };
}

async function look(context: RemedyContext, jobName: string, targetName: string): Promise<Checked> {
  const [job, target] = [context.jobs.get(jobName), context.targets.get(targetName)];
  if (!job || !target) throw new Error(`no job ${jobName} or no target ${targetName}`);
  return checkTarget(job, target, Object.fromEntries(Object.keys(job.thresholds).map((threshold) => [threshold, 0])));
}

async function propose(
  context: RemedyContext,
  { job: name, pid, target }: { job: string; pid: number | undefined; target: string },
): Promise<StoredRun[]> {
  const job = context.jobs.get(name);
  if (!job) throw new Error(`no job ${name}`);
  await recordCheck({ context, job, afterSeconds: 0, checked: await look(context, name, target) });
  const { rows } = await context.pool.query<{ id: string }>(
    "select id from runs where target = $1 and state = 'proposed' order by id",
    [target],
  );
  const runs = await Promise.all(rows.map(({ id }) => findRun(context, Number(id))));
  return runs.filter((run) => pid === undefined || planOf(run).params['pid'] === String(pid));
}

async function ask(context: RemedyContext, asked: AskedByHand): Promise<StoredRun> {
  const { plan, text, hash, does } = await planByHand(context, asked);
  const asker = { does, alertId: null, askedBy: approver, follows: null, trace: null };
  const id = await insertRun(context.pool, newRun(plan, { text, hash }, asker));
  if (id === null) throw new Error(`there is an open run about ${subjectOf(plan)}`);
  return findRun(context, id);
}

function decide(context: RemedyContext, { id, planHash }: StoredRun): Promise<Decided> {
  const pressed = { runId: id, planHash, person: approver, verdict: 'yes', typed: null, trace: 'test' } as const;
  return transaction(context.pool, (db) => decideRun(context, db, pressed));
}

async function findRun(context: RemedyContext, id: number): Promise<StoredRun> {
  const run = await readRun(context.pool, id);
  if (!run) throw new Error(`no run R-${id}`);
  return run;
}
