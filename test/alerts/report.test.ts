import { describe, expect, it } from 'vitest';
import { composeReport, type ReportInput } from '../../src/alerts/compose-report.ts';
import { whichIsDue } from '../../src/alerts/report.ts';
import { nextRun } from '../../src/detect/ticks.ts';
import type { Severity } from '../../src/model.ts';
import type { StoredAlert } from '../../src/state/alerts.ts';

const now = new Date('2026-05-05T10:00:00Z');

function alert(id: number, facts: Record<string, unknown>, severity: Severity = 'warning'): StoredAlert {
  const finding = {
    job: 'bloat',
    severity,
    database: 'shop',
    title: `t${id}`,
    summary: 'first\nsecond',
    facts,
    runbooks: [],
  };
  return { id, severity, staleSince: null, finding } as unknown as StoredAlert;
}

const check = (job: string, more: Partial<ReportInput['checks'][number]> = {}): ReportInput['checks'][number] => ({
  job,
  outcome: 'ok',
  reason: null,
  unjudged: [],
  databases: 3,
  finishedAt: now,
  ...more,
});

describe('a report', () => {
  it('has the ten worst: the more severe first, then the larger', () => {
    const small = Array.from({ length: 12 }, (_, id) => alert(id, { sizeBytes: id }));
    const alerts = [...small, alert(50, {}, 'critical'), alert(51, { sizeBytes: 99 })];
    const { lines, moreLines } = composeReport({ jobs: ['bloat'], alerts, checks: [check('bloat')] });
    expect(lines.map(({ alertId }) => alertId)).toEqual([50, 51, 11, 10, 9, 8, 7, 6, 5, 4]);
    expect(moreLines).toBe(4);
  });

  it('takes the verdict of a job, else the first line of what it says', () => {
    const alerts = [alert(1, { why: 'it repeats another' }), alert(2, {})];
    const { lines } = composeReport({ jobs: ['bloat'], alerts, checks: [check('bloat')] });
    expect(lines.map(({ verdict }) => verdict)).toEqual(['it repeats another', 'first']);
  });

  it('leaves nothing out that was not judged, failed or has not looked', () => {
    const blind = { reason: '2 of 3 databases: no', remedy: 'grant it' };
    const { unjudged, looks } = composeReport({
      jobs: ['bloat', 'unused', 'sizes', 'partly'],
      alerts: [],
      checks: [
        check('bloat', { outcome: 'cannot-judge', reason: blind.reason, unjudged: [blind] }),
        check('unused', { outcome: 'error', reason: 'main: refused', databases: null }),
        check('partly', { unjudged: [blind], reason: blind.reason, outcome: 'findings' }),
      ],
    });
    expect(unjudged).toEqual([
      { job: 'bloat', ...blind },
      { job: 'unused', reason: 'main: refused', remedy: '' },
      { job: 'sizes', reason: 'it has not looked yet', remedy: '/pg check sizes' },
      { job: 'partly', ...blind },
    ]);
    expect(looks).toEqual([{ job: 'partly', databases: 3 }]);
  });
});

describe('a report is due', () => {
  const past = new Date(now.getTime() - 1);
  const future = new Date(now.getTime() + 1);
  it.each([
    ['as a first look once all jobs have looked', { isNew: true, hasAllLooked: true, dueAt: null }, 'first-look'],
    ['not before that, whatever the day', { isNew: true, hasAllLooked: false, dueAt: past }, null],
    ['each week at its time', { isNew: false, hasAllLooked: true, dueAt: past }, 'weekly'],
    ['not before', { isNew: false, hasAllLooked: true, dueAt: future }, null],
  ] as const)('%s', (_, at, due) => {
    expect(whichIsDue({ ...at, now })).toBe(due);
  });

  it('at its hour in its time zone', () => {
    const at = nextRun('0 0 9 * * 1', 'Asia/Tokyo');
    expect([at?.getUTCDay(), at?.getUTCHours(), at?.getUTCMinutes()]).toEqual([1, 0, 0]);
  });
});
