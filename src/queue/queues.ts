import { errorFields, type Logger } from '../log.ts';
import type { Nudges } from '../remedy/context.ts';
import type { Backend, EntryQueue, EntryWorker, WorkOptions } from './backend.ts';

/** What is done when an entry arrives. Each reads what is due by itself: an entry lost, doubled or late is harmless. */
export interface Workers {
  check(job: string, target: string, tickAt: Date): Promise<void>;
  run(id: number): Promise<void>;
  channel(channel: string): Promise<void>;
}

const names = {
  checks: 'pgorderly-checks',
  slowChecks: 'pgorderly-slow-checks',
  runs: 'pgorderly-runs',
  channels: 'pgorderly-channels',
} as const;

/** A run may last for hours, on many targets at once: it must keep no signal waiting. */
const runsAtOnce = 64;

/** One queue for each kind of work, and one more for checks that take their time. An entry is a nudge: ids only, retried by nobody. */
export class Queues implements Nudges {
  private readonly backend: Backend;
  private readonly log: Logger;
  private readonly queues: Record<keyof typeof names, EntryQueue>;
  private readonly isSlow: (job: string) => boolean;
  private workers: EntryWorker[] = [];

  /** `isSlow` tells the jobs whose checks must not keep the others waiting. */
  constructor(backend: Backend, log: Logger, isSlow: (job: string) => boolean = () => false) {
    this.isSlow = isSlow;
    this.backend = backend;
    this.log = log;
    this.queues = {
      checks: backend.queue(names.checks),
      slowChecks: backend.queue(names.slowChecks),
      runs: backend.queue(names.runs),
      channels: backend.queue(names.channels),
    };
  }

  /** Starts taking entries. */
  work(workers: Workers, options: WorkOptions): void {
    const { backend } = this;
    const check = this.logged('check', (data) =>
      workers.check(data['job'] ?? '', data['target'] ?? '', new Date(data['tickAt'] ?? '')),
    );
    this.workers = [
      backend.worker(names.checks, check, options),
      backend.worker(names.slowChecks, check, options),
      backend.worker(
        names.runs,
        this.logged('run', (data) => workers.run(Number(data['id']))),
        { ...options, concurrency: runsAtOnce },
      ),
      backend.worker(
        names.channels,
        this.logged('channel', (data) => workers.channel(data['channel'] ?? '')),
        options,
      ),
    ];
  }

  /** One entry for a tick, however many replicas tick: the same jobId is the same entry. */
  async tick(job: string, target: string, at: Date): Promise<void> {
    await this.queues[this.checksOf(job)].add(
      'check',
      { job, target, tickAt: at.toISOString() },
      { jobId: `${job}.${target}.${Math.floor(at.getTime() / 1000)}`, deduplication: { id: `${job}.${target}` } },
    );
  }

  /**
   * Not deduplicated with ticks: one that is late must keep no tick out, and a tick under way must not swallow it. Two
   * for the same second are one.
   */
  async check(job: string, target: string, afterSeconds = 0): Promise<void> {
    const at = new Date(Date.now() + afterSeconds * 1_000);
    const jobId = `${job}.${target}.again.${Math.floor(at.getTime() / 1_000)}`;
    const options = afterSeconds > 0 ? { delay: afterSeconds * 1_000, jobId } : {};
    await this.nudge(this.checksOf(job), 'check', { job, target, tickAt: at.toISOString() }, options);
  }

  async run(id: number): Promise<void> {
    await this.nudge('runs', 'run', { id: String(id) });
  }

  /** Many changes are one drain, and what changes while it runs is one more. */
  async channel(channel: string): Promise<void> {
    const deduplication = { id: channel, keepLastIfActive: true };
    await this.nudge('channels', 'channel', { channel }, { deduplication });
  }

  /** One more entry, whatever is under way: that may belong to a worker that was lost. */
  async channelAgain(channel: string, afterSeconds: number): Promise<void> {
    await this.nudge('channels', 'channel', { channel }, { delay: afterSeconds * 1_000 });
  }

  state(): { ok: boolean; detail?: string } {
    return this.backend.state();
  }

  /** Forgets finished entries older than an hour, where the backend doesn't by itself. */
  async clean(): Promise<void> {
    if (!this.backend.needsCleaning) return;
    for (const queue of Object.values(this.queues)) {
      await queue.clean(3_600_000, 1_000, 'completed');
      await queue.clean(3_600_000, 1_000, 'failed');
    }
  }

  /** Takes no new entries and waits for those under way. */
  async stopWorking(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.close()));
  }

  /** Workers that are still busy are left to the end of the process: BullMQ can't end them once they are closing. */
  async close(): Promise<void> {
    await Promise.all(Object.values(this.queues).map((queue) => queue.close()));
    await this.backend.close();
  }

  private checksOf(job: string): 'checks' | 'slowChecks' {
    return this.isSlow(job) ? 'slowChecks' : 'checks';
  }

  /** A nudge that fails is logged and left to the sweep: what it is about is stored already. */
  private async nudge(
    queue: keyof typeof names,
    name: string,
    data: Record<string, string>,
    options: Record<string, unknown> = {},
  ): Promise<void> {
    try {
      await this.queues[queue].add(name, data, options);
    } catch (error) {
      this.log.warn({ queue, ...errorFields(error) }, 'nudge lost');
    }
  }

  private logged(what: string, work: (data: Record<string, string>) => Promise<void>) {
    return async (data: Record<string, string>) => {
      try {
        await work(data);
      } catch (error) {
        this.log.error({ what, ...data, ...errorFields(error) }, 'entry failed');
        throw error;
      }
    };
  }
}
