import { describe, expect, it, test } from 'vitest';
import type { HorizonRow } from '../../jobs/xmin-horizon.holders.ts';
import type { Answers } from '../../jobs/xmin-horizon.standby.ts';
import { xminHorizon } from '../../jobs/xmin-horizon.ts';
import type { Point, TargetContext } from '../../src/detect/job.ts';

const now = new Date('2026-01-02T12:00:00Z');
const hour = 3_600;
const context: TargetContext<typeof xminHorizon.thresholds> = {
  thresholds: { minSeconds: hour, deadRows: 10_000, criticalSeconds: 24 * hour, criticalPercent: 25 },
  now,
  isProduction: true,
  protectedBecause: () => null,
  history: () => [],
};
const session: HorizonRow = {
  nextXid: 1_000_000_000,
  freezeMaxAge: 200_000_000,
  changedRows: 5_000_000,
  kind: 'session',
  name: null,
  ageXids: 1_000,
  knownSeconds: null,
  owner: null,
  preparedIn: null,
  usedBy: null,
  held: '999999000',
  pid: 4711,
  backendStart: '1000',
  xactStart: '2000',
  queryStart: '3000',
  user: 'app',
  database: 'shop',
  application: 'reports',
  client: null,
  backendType: 'client backend',
  state: 'idle in transaction',
  waitEvent: null,
  transactionSeconds: 2 * hour,
  statementSeconds: 2 * hour,
  stateSeconds: 2 * hour,
  query: 'select $1',
};
const slot: Partial<HorizonRow> = { kind: 'slot', name: 'old', pid: null, transactionSeconds: null };

/** Hours ago, and the figure then. */
type Past = { xid?: [number, number][]; changed?: [number, number][] };
const role = { isStandby: false, systemIdentifier: '7', timeline: 1, login: 'monitor', seesAll: true };
function judge(row: Partial<HorizonRow>, past: Past = {}, standbys: Answers = []) {
  const history = (series: string): Point[] =>
    (past[series as keyof Past] ?? []).map(([hours, value]) => ({
      at: new Date(now.getTime() - hours * hour * 1000),
      value,
      highest: value,
    }));
  const facts = { rows: [{ ...session, ...row }], receiver: null, readersRefused: false };
  const answers = [{ node: 'main', role, facts, error: null }, ...standbys];
  return xminHorizon.judge(answers, { ...context, history }).findings[0] ?? null;
}
const at = session.nextXid - 1_000;

describe('xmin-horizon', () => {
  test.each<[string, Partial<HorizonRow>, Past, string | null]>([
    ['an hour and more, nothing known of before', {}, {}, 'warning'],
    ['less than an hour', { transactionSeconds: hour - 1 }, {}, null],
    ['rows grow', {}, { changed: [[1.5, 4_000_000]] }, 'warning'],
    ['rows do not grow', {}, { changed: [[1.5, 4_999_000]] }, null],
    [
      'rows grew before it began',
      {},
      {
        changed: [
          [3, 0],
          [1.9, 4_999_000],
        ],
      },
      null,
    ],
    ['statistics were reset meanwhile', {}, { changed: [[1.5, 9_000_000]] }, 'warning'],
    ['a day, and nothing grows', { transactionSeconds: 24 * hour }, { changed: [[23, 5_000_000]] }, 'critical'],
    ['a quarter of the way', { ageXids: 50_000_000, transactionSeconds: 60 }, {}, 'critical'],
    ['an old transaction, and a young snapshot', {}, { xid: [[0.2, at - 1]] }, null],
    ['a slot of unknown age', slot, {}, null],
    [
      'a slot that is dated by the samples',
      slot,
      {
        xid: [
          [30, at - 5],
          [26, at + 5],
        ],
      },
      'critical',
    ],
    ['a slot that was last used two hours ago', { ...slot, knownSeconds: 2 * hour }, {}, 'warning'],
    ['nobody', { kind: null, ageXids: null }, {}, null],
  ])('%s', (_, row, past, severity) => {
    expect(judge(row, past)?.severity ?? null).toBe(severity);
  });

  it('offers to end a session only where it may', () => {
    expect(judge({})?.runbooks).toMatchObject([{ name: 'terminate-session', params: { pid: '4711' } }]);
    expect(judge({ backendType: 'autovacuum worker' })?.runbooks).toEqual([]);
    expect(judge({ xactStart: null })?.summary).toContain('has no transaction open');
    expect(judge({ ...slot, knownSeconds: 2 * hour })?.facts['notOffered']).toBeDefined();
  });

  it('says where vacuum is held back', () => {
    const changed: Past = { changed: [[1.5, 4_000_000]] };
    expect(judge({}, changed)?.summary).toContain(
      '1,000,000 rows were updated or deleted in all databases; vacuum can',
    );
    expect(judge({}, changed)?.summary).toContain('none of those in database shop');
    expect(judge({ ...slot, knownSeconds: 2 * hour }, changed)?.summary).toContain('none of those in any database');
  });
});

describe('the feedback of a standby', () => {
  const feedback: Partial<HorizonRow> = { kind: 'standby', name: 'replica', pid: 99, transactionSeconds: null };
  const old = { ageXids: 100_000_000 };
  /** A standby by what it is called, and who holds what on it. */
  function standby(node: string, application: string, row: Partial<HorizonRow>, seesAll = true): Answers[number] {
    const receiver = { slot: null, application };
    const rows = [{ ...session, ...row }];
    return {
      node,
      role: { ...role, isStandby: true, seesAll },
      facts: { rows, receiver, readersRefused: false },
      error: null,
    };
  }
  const trace = (...standbys: Answers) => judge({ ...feedback, ...old }, {}, standbys);

  it.each<[string, Answers, string | null]>([
    ['a session with the same xmin', [standby('two', 'replica', {})], 'two'],
    ['a session with an older one', [standby('two', 'replica', { held: '999998000' })], 'two'],
    ['one that is older over the wrap-around', [standby('two', 'replica', { held: '4294967290' })], 'two'],
    ['younger sessions alone', [standby('two', 'replica', { held: '999999001' })], null],
    ['no session', [standby('two', 'replica', { kind: null, held: null })], null],
    ['another standby', [standby('two', 'other', {})], null],
    ['a login that sees nothing', [standby('two', 'replica', {}, false)], null],
    ['two of one name', [standby('two', 'replica', { held: '999999001' }), standby('three', 'replica', {})], 'three'],
    [
      'a standby of it',
      [standby('two', 'replica', { kind: 'standby', name: 'leaf' }), standby('leaf', 'leaf', {})],
      'leaf',
    ],
  ])('is followed to %s', (_, standbys, node) => {
    const finding = trace(...standbys);
    expect(finding?.node).toBe(node ?? 'main');
    expect(finding?.subject.kind).toBe(node ? 'backend' : 'standby');
    expect(finding?.facts['ageXids']).toBe(old.ageXids);
  });

  it('says why it is not known whose it is', () => {
    expect(trace()?.summary).toContain('none of the nodes that are watched, and answer, is that standby');
    expect(trace(standby('two', 'replica', { held: '999999001' }))?.summary).toContain('none of its sessions holds it');
  });

  it('is dated by the session there', () => {
    const young = standby('two', 'replica', { transactionSeconds: 60 });
    expect(judge(feedback, {}, [young])).toBeNull();
    expect(judge(feedback, {}, [standby('two', 'replica', {})])?.facts['ageSeconds']).toBe(2 * hour);
  });
});
