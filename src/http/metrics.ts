import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type Outcome, type RunState, runStates } from '../model.ts';

/** What is asked of the state database at each scrape. */
export interface MetricSources {
  runsByState(): Promise<ReadonlyMap<RunState, number>>;
  cardsLagging(): Promise<number>;
  /** Of the oldest item that waits; 0 if none does. */
  inboxAgeSeconds(): Promise<number>;
}

export interface Metrics {
  countCheck(job: string, outcome: Outcome, seconds: number): void;
  countSlackError(code: string): void;
  /** Prometheus' text format, as `contentType` says. Never throws for a source, and waits for none longer than 2 s. */
  scrape(): Promise<string>;
  contentType: string;
}

export const sourceTimeoutMs = 2_000;

/**
 * Targets are no label: they would multiply every series of every job, and their names may be private. Which target is
 * ill is said by its alert, `/pg status` and the log.
 */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const checks = new Counter({
    name: 'pgorderly_checks_total',
    help: 'Checks by what they came to.',
    labelNames: ['job', 'outcome'] as const,
    registers,
  });
  const checkSeconds = new Histogram({
    name: 'pgorderly_check_seconds',
    help: 'How long a check of all nodes of a target took.',
    labelNames: ['job'] as const,
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 5, 10, 30],
    registers,
  });
  const slackErrors = new Counter({
    name: 'pgorderly_slack_errors_total',
    help: 'Calls to Slack that failed, by its error code.',
    labelNames: ['code'] as const,
    registers,
  });
  const askSources = createGauges(registers, sources);
  return {
    countCheck: (job, outcome, seconds) => {
      checks.inc({ job, outcome });
      checkSeconds.observe({ job }, seconds);
    },
    countSlackError: (code) => slackErrors.inc({ code }),
    scrape: async () => {
      await askSources();
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

/** Gauges that are asked for at a scrape. One whose source fails has no sample: an old figure would be a lie. */
function createGauges(registers: Registry[], sources: MetricSources): () => Promise<unknown> {
  const runs = new Gauge({
    name: 'pgorderly_runs',
    help: 'Runs by state.',
    labelNames: ['state'] as const,
    registers,
  });
  const lagging = new Gauge({
    name: 'pgorderly_cards_lagging',
    help: 'Cards that do not yet show what is true.',
    registers,
  });
  const inboxAge = new Gauge({
    name: 'pgorderly_inbox_age_seconds',
    help: 'Age of the oldest thing a person asked for that is not yet handled and answered.',
    registers,
  });
  return () =>
    Promise.all([
      ask(
        sources.runsByState,
        (counts) => {
          for (const state of runStates) runs.set({ state }, counts.get(state) ?? 0);
        },
        () => runs.reset(),
      ),
      ask(
        sources.cardsLagging,
        (count) => lagging.set(count),
        () => lagging.remove(),
      ),
      ask(
        sources.inboxAgeSeconds,
        (seconds) => inboxAge.set(seconds),
        () => inboxAge.remove(),
      ),
    ]);
}

async function ask<T>(source: () => Promise<T>, show: (value: T) => void, hide: () => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), sourceTimeoutMs);
  });
  try {
    show(await Promise.race([source(), late]));
  } catch {
    hide(); // a missing sample says that it is not known; /readyz says why
  } finally {
    clearTimeout(timer);
  }
}
