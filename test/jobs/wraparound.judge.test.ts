import { describe, expect, it, test } from 'vitest';
import type { AgedDatabase, AgeFacts } from '../../jobs/wraparound.facts.ts';
import { wraparound } from '../../jobs/wraparound.ts';
import type { JudgeContext, Point } from '../../src/detect/job.ts';

const million = 1_000_000;
const day = 86_400;
const now = new Date('2026-01-01T12:00:00Z');
const quiet: AgedDatabase = {
  name: 'shop',
  takesConnections: true,
  xidAge: 150 * million,
  mxidAge: 1_000,
  xidForcedAt: 200 * million,
  mxidForcedAt: 400 * million,
  isAutovacuumOn: true,
  nextXid: 10_000 * million,
  nextMultixact: 5_000,
  sharersAtMost: 100,
  mayListFiles: false,
};
const context: JudgeContext<typeof wraparound.thresholds> = {
  thresholds: { warningPercent: 150, criticalPercent: 50, criticalEtaSeconds: 3 * day },
  now,
  node: { name: 'main', isStandby: false, role: 'monitor', seesAll: true },
  protectedBecause: () => null,
  history: () => [],
};

/** Four hours ago, by series. */
type Past = Record<string, number>;
function judge(database: Partial<AgedDatabase>, past: Past = {}, facts: Partial<AgeFacts> = {}) {
  const history = (series: string): Point[] => {
    const value = past[series];
    return value === undefined ? [] : [{ at: new Date(now.getTime() - 4 * 3_600_000), value, highest: value }];
  };
  const databases = [
    { ...quiet, name: 'other' },
    { ...quiet, ...database },
  ];
  return wraparound.judge({ databases, holders: [], tables: [], members: null, ...facts }, { ...context, history });
}
const verdictOn = (database: Partial<AgedDatabase>, past?: Past) => {
  const { findings, lingering = [] } = judge(database, past);
  const told = findings.map(({ fingerprint, severity }) => `${fingerprint} ${severity}`);
  return [...told, ...lingering.map(({ fingerprint }) => `${fingerprint} falling`)].join(', ') || 'nothing';
};

describe('wraparound', () => {
  test.each<[string, Partial<AgedDatabase>, Past, string]>([
    ['below where it is forced', { xidAge: 199 * million }, {}, 'nothing'],
    ['the everyday sawtooth', { xidAge: 220 * million }, {}, 'nothing'],
    ['past one and a half', { xidAge: 301 * million }, {}, 'xid warning'],
    ['rising past it', { xidAge: 301 * million }, { 'xid age': 290 * million }, 'xid warning'],
    ['past it and falling', { xidAge: 301 * million }, { 'xid age': 310 * million }, 'xid falling'],
    ['past half of all', { xidAge: 1_100 * million }, {}, 'xid critical'],
    ['past half of all, falling', { xidAge: 1_100 * million }, { 'xid age': 1_200 * million }, 'xid critical'],
    ['forced later than half of all', { xidAge: 1_100 * million, xidForcedAt: 1_900 * million }, {}, 'xid critical'],
    ['gone in two days', { xidAge: 400 * million }, { 'xid next': 9_850 * million }, 'xid critical'],
    ['gone in two days, but frozen in time', { xidAge: 200 * million }, { 'xid next': 9_850 * million }, 'nothing'],
    ['multixacts', { mxidAge: 700 * million }, {}, 'mxid warning'],
  ])('%s', (_, database, past, verdict) => {
    expect(verdictOn(database, past)).toBe(verdict);
  });

  it('says until when they last, with the rate it comes from', () => {
    const [finding] = judge({ xidAge: 400 * million }, { 'xid next': 9_999 * million }).findings;
    expect(finding?.impact?.etaSeconds).toBeCloseTo((2 ** 31 - 403 * million) / (million / 14_400));
    expect(finding?.summary).toContain('(69 a second)');
    expect(judge({ xidAge: 400 * million }).findings[0]?.summary).toContain('not known yet');
  });

  test.each([
    ['few multixacts cannot have many members', 20 * million, null, 'nothing'],
    ['many of them may', 30 * million, null, 'unjudged'],
    ['half of the space', 30 * million, 2 ** 31, 'warning'],
    ['three quarters', 30 * million, 3 * 2 ** 30, 'critical'],
    ['little of it', 30 * million, 100, 'nothing'],
  ])('judges the members of multixacts: %s', (_, mxidAge, members, verdict) => {
    const { findings, unjudged } = judge({ mxidAge }, {}, { members });
    expect(findings[0]?.severity ?? (unjudged.length > 0 ? 'unjudged' : 'nothing')).toBe(verdict);
  });
});
