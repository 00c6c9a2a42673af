import { randomUUID } from 'node:crypto';
import { recordCheck } from './alerts/record.ts';
import type { Config } from './config/config.ts';
import { type Checked, checkTarget } from './detect/check.ts';
import type { AnyJob } from './detect/job.ts';
import type { CheckResult } from './model.ts';
import type { RemedyContext } from './remedy/context.ts';
import { readMemories, readMemory } from './state/checks.ts';
import { readSamples } from './state/samples.ts';

export interface RemedyParts extends Pick<RemedyContext, 'pool' | 'runbooks' | 'targets' | 'nudges' | 'log'> {
  config: Config;
  /** All there are; those that the configuration disables are left out. */
  jobs: readonly AnyJob[];
  leaseSeconds: number;
  stopping: AbortSignal;
  onCheck(result: CheckResult): void;
}

/** All that proposing, deciding and running need, and how a check is made now and recorded. */
export function openRemedy(parts: RemedyParts): {
  remedy: RemedyContext;
  checkNow(job: string, target: string): Promise<Checked>;
} {
  const { config, pool, targets, jobs, onCheck, ...rest } = parts;
  const enabled = jobs.filter((job) => config.jobs.get(job.name)?.isEnabled !== false);
  const byName = new Map(enabled.map((job) => [job.name, job]));
  const settingsOf = (job: string) => {
    const settings = config.jobs.get(job);
    if (!settings) throw new Error(`no settings for the job ${job}`);
    return settings;
  };
  const look = async (jobName: string, targetName: string, how: How): Promise<Checked> => {
    const [job, target] = [byName.get(jobName), targets.get(targetName)];
    if (!job || !target) throw new Error(`no job ${jobName} on a target ${targetName}`);
    const memory = job.remember ? await readMemory(pool, jobName, targetName) : {};
    const readPast = (ofJob: string, days: number) => readSamples(pool, { target: targetName, job: ofJob, days });
    const readAll = (ofJob: string) => readMemories(pool, ofJob, [...targets.keys()]);
    const only = how.database === null ? {} : { isChosen: (database: string) => database === how.database };
    const known = { memory, readPast, readMemories: readAll };
    const checked = await checkTarget(job, { ...target, ...known, ...only }, how.thresholds);
    onCheck(checked.result);
    return checked;
  };
  const recheck: RemedyContext['recheck'] = async (job, target, { everything, database = null }) => {
    const { thresholds } = settingsOf(job);
    const zero = Object.fromEntries(Object.keys(thresholds).map((name) => [name, 0]));
    return (await look(job, target, { thresholds: everything ? zero : thresholds, database })).result;
  };
  const { runbooks, nudges, log, leaseSeconds, stopping } = rest;
  const wiring = { runbooks, nudges, log, leaseSeconds, stopping, owner: randomUUID() };
  const remedy: RemedyContext = { ...wiring, pool, jobs: byName, targets, recheck };
  const checkNow = async (job: string, target: string): Promise<Checked> => {
    const { thresholds, afterSeconds } = settingsOf(job);
    const checked = await look(job, target, { thresholds, database: null });
    const known = byName.get(job);
    if (known) await recordCheck({ context: remedy, job: known, afterSeconds, checked });
    return checked;
  };
  return { remedy, checkNow };
}

interface How {
  thresholds: Record<string, number>;
  /** A job that looks into each database looks into this one only. */
  database: string | null;
}
