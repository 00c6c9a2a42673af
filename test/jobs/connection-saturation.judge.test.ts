import { describe, expect, it, test } from 'vitest';
import { connectionSaturation, type Limit } from '../../jobs/connection-saturation.ts';
import type { JudgeContext, Point } from '../../src/detect/job.ts';

const server: Limit = {
  kind: 'server',
  name: null,
  limit: 100,
  used: 0,
  idle: 0,
  idleInTransaction: 0,
  maxConnections: 103,
};
const now = new Date('2026-01-01T12:00:00Z');
const context: JudgeContext<typeof connectionSaturation.thresholds> = {
  thresholds: { warningPercent: 85, criticalPercent: 95 },
  now,
  node: { name: 'main', isStandby: false, role: 'monitor', seesAll: true },
  protectedBecause: () => null,
  history: () => [],
};

function judge(limit: Partial<Limit>, past: readonly Point[] = []) {
  const facts = { limits: [{ ...server, ...limit }], holders: [] };
  return connectionSaturation.judge(facts, { ...context, history: () => past }).findings[0] ?? null;
}
const point = (minutesAgo: number, value: number): Point => ({
  at: new Date(now.getTime() - minutesAgo * 60_000),
  value,
  highest: value,
});

describe('connection-saturation', () => {
  test.each([
    [84, null],
    [85, 'warning'],
    [94, 'warning'],
    [95, 'critical'],
    [103, 'critical'],
  ])('calls %i connections of 100 %s', (used, severity) => {
    expect(judge({ used })?.severity ?? null).toBe(severity);
  });

  test.each([
    ['nothing is known of earlier', [], null],
    ['they grew by 10 in 10 minutes', [point(600, 0), point(10, 80)], 600],
    ['they do not grow', [point(10, 90)], null],
    ['only a minute is known', [point(1, 80)], null],
  ])('says until when it lasts: %s', (_, past, etaSeconds) => {
    expect(judge({ used: 90 }, past)?.impact?.etaSeconds ?? null).toBe(etaSeconds);
  });

  it('says only of a full server that a connection was refused for that', () => {
    expect(connectionSaturation.judgeRefusal?.('28P01', { name: 'main' })).toBeNull();
    expect(connectionSaturation.judgeRefusal?.('53300', { name: 'main' })?.severity).toBe('critical');
  });
});
