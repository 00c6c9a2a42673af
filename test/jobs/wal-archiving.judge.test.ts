import { describe, expect, it, test } from 'vitest';
import { type Archiving, walArchiving } from '../../jobs/wal-archiving.ts';
import type { JudgeContext, Point } from '../../src/detect/job.ts';

const now = new Date('2026-01-01T12:00:00Z');
const gigabyte = 2 ** 30;
const well: Archiving = {
  mode: 'on',
  command: 'copy %p',
  library: '',
  archivedCount: 10,
  failedCount: 1,
  lastFailedWal: '000000010000000000000001',
  archivedSecondsAgo: 60,
  failedSecondsAgo: 600,
  files: { waiting: 1, oldestWaitingSeconds: 5, walBytes: 10 * gigabyte },
};
const failing = { failedSecondsAgo: 30 };
const context: JudgeContext<typeof walArchiving.thresholds> = {
  thresholds: { lateSeconds: 900, walBytes: 100 * gigabyte, criticalEtaSeconds: 14_400 },
  now,
  node: { name: 'main', isStandby: false, role: 'monitor', seesAll: true },
  protectedBecause: () => null,
  history: () => [],
};

/** `anHourAgo`: how much pg_wal had then. */
function judge(changes: Partial<Archiving>, anHourAgo?: number, isStandby = false) {
  const at = new Date(now.getTime() - 3_600_000);
  const history = (series: string): Point[] =>
    series === 'bytes' && anHourAgo !== undefined ? [{ at, value: anHourAgo, highest: anHourAgo }] : [];
  const node = { ...context.node, isStandby };
  return walArchiving.judge({ ...well, ...changes }, { ...context, history, node });
}

describe('wal-archiving', () => {
  test.each<[string, Partial<Archiving>, number | undefined, string | null]>([
    ['it failed, and succeeded since', {}, undefined, null],
    ['it failed last', failing, undefined, 'failing warning'],
    ['it never succeeded', { archivedSecondsAgo: null }, undefined, 'failing warning'],
    ['it was never tried', { archivedSecondsAgo: null, failedSecondsAgo: null }, undefined, null],
    ['nothing is set', { command: '' }, undefined, 'nothing-set warning'],
    ['a library is set', { command: '', library: 'basic_archive' }, undefined, null],
    ['the command may not be read', { command: null }, undefined, null],
    [
      'a file waits for a quarter of an hour',
      { files: { waiting: 3, oldestWaitingSeconds: 900, walBytes: 0 } },
      undefined,
      'standing-still warning',
    ],
    ['full in less than four hours', failing, -20 * gigabyte, 'failing critical'],
    ['full in five hours', failing, -8 * gigabyte, 'failing warning'],
    ['grows, but is archived', {}, -20 * gigabyte, null],
  ])('%s', (_, changes, anHourAgo, verdict) => {
    const [finding] = judge(changes, anHourAgo).findings;
    expect(finding ? `${finding.facts['trouble']} ${finding.severity}` : null).toBe(verdict);
  });

  it('says until when the room lasts, and that its size is an assumption', () => {
    const [finding] = judge(failing, -20 * gigabyte).findings;
    expect(finding?.impact?.etaSeconds).toBe(10_800);
    expect(finding?.summary).toContain('grows by 30 GB an hour. At that rate 100 GB (walBytes) is reached in 3 h.');
    expect(finding?.summary).toContain('cannot be asked for over SQL');
  });

  test.each([
    ['on', 0],
    ['always', 1],
    ['off', 0],
  ] as const)('judges a standby with archive_mode = %s', (mode, count) => {
    expect(judge({ ...failing, mode }, undefined, true).findings).toHaveLength(count);
  });
});
