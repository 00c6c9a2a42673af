import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createMetrics, type MetricSources, sourceTimeoutMs } from '../../src/http/metrics.ts';
import type { RunState } from '../../src/model.ts';

const sources: MetricSources = {
  runsByState: async () => new Map<RunState, number>([['proposed', 2]]),
  cardsLagging: async () => 3,
  inboxAgeSeconds: async () => 1.5,
};

async function samples(metrics: { scrape(): Promise<string> }, name: string): Promise<string[]> {
  return (await metrics.scrape()).split('\n').filter((line) => line.startsWith(name));
}

describe('checks', () => {
  test('are counted by job and outcome', async () => {
    const metrics = createMetrics(sources);
    metrics.countCheck('lock-chains', 'ok', 0.02);
    metrics.countCheck('lock-chains', 'ok', 0.02);
    metrics.countCheck('lock-chains', 'findings', 4);
    expect(await samples(metrics, 'pgorderly_checks_total')).toEqual([
      'pgorderly_checks_total{job="lock-chains",outcome="ok"} 2',
      'pgorderly_checks_total{job="lock-chains",outcome="findings"} 1',
    ]);
  });

  test('are timed by job', async () => {
    const metrics = createMetrics(sources);
    metrics.countCheck('lock-chains', 'ok', 0.02);
    metrics.countCheck('lock-chains', 'error', 4);
    const lines = await samples(metrics, 'pgorderly_check_seconds');
    expect(lines).toContain('pgorderly_check_seconds_bucket{le="0.03",job="lock-chains"} 1');
    expect(lines).toContain('pgorderly_check_seconds_count{job="lock-chains"} 2');
    expect(lines).toContain('pgorderly_check_seconds_sum{job="lock-chains"} 4.02');
  });
});

test('errors of Slack are counted by their code', async () => {
  const metrics = createMetrics(sources);
  metrics.countSlackError('channel_not_found');
  expect(await samples(metrics, 'pgorderly_slack_errors')).toEqual([
    'pgorderly_slack_errors_total{code="channel_not_found"} 1',
  ]);
});

describe('figures of the state database', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('are asked for at each scrape', async () => {
    let age = 1;
    const metrics = createMetrics({ ...sources, inboxAgeSeconds: async () => age++ });
    await metrics.scrape();
    expect(await samples(metrics, 'pgorderly_inbox_age_seconds')).toEqual(['pgorderly_inbox_age_seconds 2']);
  });

  test('have a sample for every state, so that none goes missing when it falls to zero', async () => {
    const lines = await samples(createMetrics(sources), 'pgorderly_runs');
    expect(lines).toContain('pgorderly_runs{state="proposed"} 2');
    expect(lines).toContain('pgorderly_runs{state="unknown"} 0');
  });

  test('have no sample rather than an old one when their source fails', async () => {
    let isDown = false;
    const orFail = <T>(source: () => Promise<T>) => (isDown ? Promise.reject(new Error('down')) : source());
    const metrics = createMetrics({
      runsByState: () => orFail(sources.runsByState),
      cardsLagging: () => orFail(sources.cardsLagging),
      inboxAgeSeconds: () => orFail(sources.inboxAgeSeconds),
    });
    expect(await samples(metrics, 'pgorderly_cards')).toEqual(['pgorderly_cards_lagging 3']);
    isDown = true;
    const names = ['pgorderly_cards', 'pgorderly_runs', 'pgorderly_inbox'];
    expect(await Promise.all(names.map((name) => samples(metrics, name)))).toEqual([[], [], []]);
    isDown = false;
    expect(await samples(metrics, 'pgorderly_cards')).toEqual(['pgorderly_cards_lagging 3']);
  });

  test('hold up a scrape for 2 s at most, and none but their own', async () => {
    const metrics = createMetrics({ ...sources, cardsLagging: () => new Promise(() => {}) });
    const scraped = metrics.scrape();
    await vi.advanceTimersByTimeAsync(sourceTimeoutMs);
    const lines = (await scraped).split('\n');
    expect(lines).toContain('pgorderly_inbox_age_seconds 1.5');
    expect(lines.filter((line) => line.startsWith('pgorderly_cards'))).toEqual([]);
  });
});

test('all of them are in the table of README.md', async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const text = await createMetrics(sources).scrape();
  const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  expect(names).toHaveLength(6);
  expect(names.filter((name) => !readme.includes(`\`${name}`))).toEqual([]);
});
