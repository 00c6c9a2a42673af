import { type Checked, checkTarget, type Memory } from '../../src/detect/check.ts';
import type { AnyJob, Thresholds } from '../../src/detect/job.ts';
import type { CheckResult } from '../../src/model.ts';
import { Reader } from '../../src/targets/reader.ts';

interface Options {
  thresholds?: Record<string, number>;
  memory?: Memory;
  isProduction?: boolean;
}

/** One check of a target by the URLs of its nodes, over connections of its own. */
export async function checkNodes(
  job: AnyJob,
  urls: Readonly<Record<string, string>>,
  { thresholds = {}, memory = {}, isProduction = true }: Options = {},
): Promise<Checked> {
  const nodes = Object.entries(urls).map(([name, url]) => ({ name, reader: new Reader({ name, url }) }));
  const defaults = Object.fromEntries(
    Object.entries(job.thresholds as Thresholds).map(([name, one]) => [name, one.default]),
  );
  // As it comes back from where it is stored.
  const stored = JSON.parse(JSON.stringify(memory)) as Memory;
  const target = { name: 'test', nodes, protectedBecause: () => null, isProduction, memory: stored };
  try {
    return await checkTarget(job, target, { ...defaults, ...thresholds });
  } finally {
    await Promise.all(nodes.map(({ reader }) => reader.close()));
  }
}

/** Checks, one after another, each with what the one before remembered. */
export class Looks {
  private memory: Memory = {};
  private readonly job: AnyJob;
  private readonly urls: () => Readonly<Record<string, string>>;

  constructor(job: AnyJob, urls: () => Readonly<Record<string, string>>) {
    this.job = job;
    this.urls = urls;
  }

  async look(thresholds: Record<string, number> = {}): Promise<CheckResult> {
    const { result, memory } = await checkNodes(this.job, this.urls(), { thresholds, memory: this.memory });
    this.memory = memory;
    return result;
  }
}
