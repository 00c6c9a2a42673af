import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorFields } from '../log.ts';
import { addThreadLine, wantRunCard } from '../state/cards.ts';
import { transaction } from '../state/database.ts';
import { readStopWish, saveProgress } from '../state/leases.ts';
import type { RunProgress, StoredRun } from '../state/runs.ts';
import type { RemedyContext } from './context.ts';
import { findHarm, type WaitingSince } from './harm.ts';
import type { Plan } from './plan.ts';
import { readProgress } from './progress.ts';
import { ActingSession, applicationName, type Backend } from './session.ts';

export interface WatchInput {
  context: RemedyContext;
  run: StoredRun;
  plan: Plan;
  /** The action URL. */
  url: string;
  /** Who carries out the act, looked for as long as a look takes; null once it has ended, however it ended. */
  findActing: (control: () => Promise<ActingSession>) => Promise<Backend | null>;
  /** Since its beginning: a worker that adopts it goes on counting. */
  seconds: number;
  /** Stopped after that, as nobody expects it to take so long. */
  maxSeconds: number;
}

/** `lost`: another worker owns the run by now, or this one is stopping. */
export type Watched = { kind: 'over'; stoppedBecause: string | null } | { kind: 'lost' };

const lookMs = 1_000;
/** Chat is told of a new phase at once, else so often. */
const tellMs = 5_000;
/** Who has seen nothing for so long leaves the run to another one, that may see more. */
const blindMs = 10 * 60_000;

/**
 * Keeps an eye on a statement that may last for hours, once a second, through a session of its own that was opened
 * before it: how far it is, whether somebody wants it to stop, whether it hurts. Stops it by a guarded cancel.
 */
export class Watch {
  private readonly input: WatchInput;
  private control: ActingSession | null;
  private readonly since: WaitingSince = new Map();
  private readonly startedAt: number;
  private seenAt = performance.now();
  private toldAt = Number.NEGATIVE_INFINITY;
  private progress: RunProgress | null;
  private stoppedBecause: string | null = null;
  private cancelledAt = Number.NEGATIVE_INFINITY;

  constructor(input: WatchInput, control: ActingSession) {
    this.input = input;
    this.control = control;
    this.startedAt = performance.now() - input.seconds * 1_000;
    this.progress = input.run.progress;
  }

  /** Throws where the server could not be asked for ten minutes. */
  async untilOver(): Promise<Watched> {
    for (;;) {
      const seen = await this.look().catch((error) => this.onLoss(error));
      if (seen) return seen;
    }
  }

  /** A session for what comes after the act: the one it ran on may have died with it. Throws where none can be opened. */
  async session(): Promise<ActingSession> {
    this.control ??= await openControl(this.input);
    return this.control;
  }

  async close(): Promise<void> {
    await this.control?.close();
    this.control = null;
  }

  private async look(): Promise<Watched | null> {
    const { context, run, findActing } = this.input;
    const acting = await findActing(() => this.session());
    if (!acting) return { kind: 'over', stoppedBecause: this.stoppedBecause };
    const wish = await readStopWish(context.pool, run);
    if (!wish || context.stopping.aborted) return { kind: 'lost' };
    const control = await this.session();
    await this.tellProgress(control);
    this.stoppedBecause ??= wish.because ?? (await this.findReason(control, acting));
    if (this.stoppedBecause !== null) await this.cancel(control, acting, this.stoppedBecause);
    this.seenAt = performance.now();
    return null;
  }

  private async findReason(control: ActingSession, acting: Backend): Promise<string | null> {
    const { plan, maxSeconds } = this.input;
    const seconds = (performance.now() - this.startedAt) / 1_000;
    if (seconds > maxSeconds) return `it has taken ${Math.round(seconds / 60)} min, three times what was expected`;
    const { stopWhen } = plan;
    return stopWhen && findHarm(control, { acting, stopWhen, since: this.since, now: performance.now() });
  }

  /** Only our own statement, in the session that carries it out; asked again while it goes on. */
  private async cancel(control: ActingSession, acting: Backend, because: string): Promise<void> {
    const { context, run } = this.input;
    if (performance.now() - this.cancelledAt < tellMs) return;
    const isFirst = this.cancelledAt === Number.NEGATIVE_INFINITY;
    this.cancelledAt = performance.now();
    const { rows } = await control.query(cancelSql, [acting.pid, acting.startedAt, applicationName(run.id)]);
    context.log.warn({ run: run.id, because, sent: rows.length, trace: run.trace }, 'run is being stopped');
    if (isFirst) await this.save(this.progress, `◼ R-${run.id} is being stopped: ${because}`);
  }

  private async tellProgress(control: ActingSession): Promise<void> {
    const now = performance.now();
    const seconds = (now - this.startedAt) / 1_000;
    const progress = await readProgress(control, this.input, { seconds, before: this.progress });
    const isNewPhase = progress?.phase !== this.progress?.phase;
    const isDue = now - this.toldAt >= (isNewPhase ? lookMs : tellMs);
    this.progress = progress ?? this.progress;
    if (!progress || !isDue) return;
    this.toldAt = now;
    await this.save(progress, null);
  }

  private async save(progress: RunProgress | null, line: string | null): Promise<void> {
    const { context, run } = this.input;
    const card = await transaction(context.pool, async (db) => {
      if (progress) await saveProgress(db, run, progress);
      const found = await wantRunCard(db, run);
      if (found && line !== null) await addThreadLine(db, found, [line]);
      return found;
    });
    if (card) await context.nudges.channel(card.channel);
  }

  /** The act goes on whatever becomes of its watch: what was lost is opened again at the next look. */
  private async onLoss(error: unknown): Promise<null> {
    const { context, run } = this.input;
    context.log.warn({ run: run.id, ...errorFields(error) }, 'run could not be watched for a moment');
    await this.close();
    if (performance.now() - this.seenAt > blindMs) throw error;
    await sleep(lookMs);
    return null;
  }
}

export function openControl({ url, run, plan }: Pick<WatchInput, 'url' | 'run' | 'plan'>): Promise<ActingSession> {
  return ActingSession.open(url, `pgorderly/watch/${run.id}`, plan.database);
}

/** The session whose act that is, until it has ended. */
export function actingUntil(act: Promise<unknown>, acting: Backend): WatchInput['findActing'] {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  const ended = act.then(end, end);
  return async () => {
    await Promise.race([ended, sleep(lookMs)]);
    return isOver ? null : acting;
  };
}

const cancelSql = `
  select pg_catalog.pg_cancel_backend(a.pid) as sent
  from pg_catalog.pg_stat_activity a
  where a.pid = $1
    and (extract(epoch from a.backend_start) * 1000000)::bigint = $2::bigint
    and a.application_name = $3
    and a.pid <> pg_catalog.pg_backend_pid()
    and a.state = 'active'`;
