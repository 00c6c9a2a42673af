import { describe, expect, it, test } from 'vitest';
import { longTransactions, type OpenTransaction } from '../../jobs/long-transactions.ts';
import type { JudgeContext } from '../../src/detect/job.ts';

type Context = JudgeContext<typeof longTransactions.thresholds>;

const context: Context = {
  thresholds: {
    minSeconds: 3600,
    idleSeconds: 900,
    criticalSeconds: 14_400,
    backupSeconds: 43_200,
    xminTransactions: 1_000_000,
  },
  now: new Date(0),
  node: { name: 'main', isStandby: false, role: 'monitor', seesAll: true },
  protectedBecause: () => null,
  history: () => [],
};

const base: OpenTransaction = {
  pid: 4711,
  backendStart: '1000',
  xactStart: '2000',
  queryStart: '3000',
  user: 'app',
  database: 'shop',
  application: 'billing-api',
  client: '10.0.0.7',
  backendType: 'client backend',
  state: 'active',
  waitEvent: null,
  transactionSeconds: 10,
  statementSeconds: 10,
  stateSeconds: 10,
  query: 'select $1',
  holdsXid: false,
  holdsXmin: true,
  xminAgeXids: 5,
  holdsOldestXmin: false,
  lockWaitSeconds: 0,
  blocks: 0,
  maintenance: null,
};

function judge(session: Partial<OpenTransaction>, changes: Partial<Context> = {}) {
  return longTransactions.judge([{ ...base, ...session }], { ...context, ...changes });
}

function verdictOn(session: Partial<OpenTransaction>): string {
  const [finding] = judge(session).findings;
  return finding ? `${finding.severity} ${finding.runbooks[0]?.name ?? 'no runbook'}` : 'nothing';
}

const idle = { state: 'idle in transaction', holdsXmin: false, xminAgeXids: null } as const;
const idleFor = (seconds: number) => ({ ...idle, stateSeconds: seconds, transactionSeconds: seconds + 5 });
const activeFor = (seconds: number) => ({
  statementSeconds: seconds,
  transactionSeconds: seconds,
  stateSeconds: seconds,
});
const oldestXmin = { holdsXmin: true, holdsOldestXmin: true, xminAgeXids: 2_000_000 } as const;

test.each<[string, Partial<OpenTransaction>, string]>([
  ['idle in transaction below the limit', idleFor(899), 'nothing'],
  ['idle in transaction', idleFor(900), 'warning terminate-session'],
  [
    'idle in a failed transaction',
    { ...idleFor(900), state: 'idle in transaction (aborted)' },
    'warning terminate-session',
  ],
  ['idle for four times as long, harmless', idleFor(3600), 'warning terminate-session'],
  ['idle for four times as long while others wait', { ...idleFor(3600), blocks: 1 }, 'critical terminate-session'],
  ['idle not so long while others wait', { ...idleFor(3599), blocks: 9 }, 'warning terminate-session'],
  [
    'idle for four times as long with the oldest xmin',
    { ...idleFor(3600), ...oldestXmin },
    'critical terminate-session',
  ],
  [
    'idle for four times as long with the oldest xmin that few have passed',
    { ...idleFor(3600), ...oldestXmin, xminAgeXids: 999_999 },
    'warning terminate-session',
  ],
  [
    'not idle for long, in a transaction that is critically old and harms',
    { ...idleFor(1000), transactionSeconds: 14_400, holdsXid: true, blocks: 1 },
    'critical terminate-session',
  ],
  ['one statement below the limit', activeFor(3599), 'nothing'],
  ['one statement', activeFor(3600), 'warning cancel-query'],
  ['one statement without xid or xmin', { ...activeFor(3600), holdsXmin: false }, 'nothing'],
  ['one statement, critically long but harmless', activeFor(14_400), 'warning cancel-query'],
  ['one statement, critically long, while others wait', { ...activeFor(14_400), blocks: 2 }, 'critical cancel-query'],
  ['a transaction of short statements', { ...activeFor(3600), statementSeconds: 1 }, 'warning terminate-session'],
  [
    'a transaction of short statements between two of them',
    { ...idle, transactionSeconds: 3600, stateSeconds: 1, holdsXid: true },
    'warning terminate-session',
  ],
  ['a wait for a lock that is all of its age', { ...activeFor(7200), lockWaitSeconds: 7199 }, 'nothing'],
  [
    'an old transaction that waits for a lock now',
    { ...activeFor(7200), statementSeconds: 600, lockWaitSeconds: 600 },
    'warning terminate-session',
  ],
  ['a dump of less than half a day', { ...activeFor(43_199), application: 'pg_dump' }, 'nothing'],
  ['a dump of half a day', { ...activeFor(43_200), application: 'pg_dump' }, 'warning cancel-query'],
  ['a parallel dump whose leader is idle', { ...idleFor(20_000), application: 'pg_dump' }, 'nothing'],
  [
    'a dump of two days with victims',
    { ...activeFor(172_800), application: 'pg_dump', blocks: 1 },
    'critical cancel-query',
  ],
  ['a backup tool by its own spelling', { ...activeFor(20_000), application: 'pgBackRest [backup]' }, 'nothing'],
  ['an index build', { ...activeFor(20_000), maintenance: 'create index' }, 'nothing'],
  ['a walsender', { ...activeFor(3600), backendType: 'walsender' }, 'warning no runbook'],
  ['a worker of logical replication', { ...activeFor(3600), backendType: 'background worker' }, 'warning no runbook'],
  ['a commit that waits for a standby', { ...activeFor(3600), waitEvent: 'SyncRep' }, 'warning no runbook'],
])('%s', (_, session, verdict) => expect(verdictOn(session)).toBe(verdict));

describe('a finding', () => {
  it('is about the transaction: the next one of the same session is another', () => {
    const of = (xactStart: string) => judge({ ...idleFor(900), xactStart }).findings[0]?.fingerprint;
    expect(of('2000')).toBe('4711/1000/2000');
    expect(of('2001')).not.toBe(of('2000'));
  });

  it('carries what identifies the session in the parameters of its runbook', () => {
    expect(judge(idleFor(900)).findings[0]?.runbooks).toMatchObject([
      {
        name: 'terminate-session',
        params: { least_waiters: '0', pid: '4711', backend_start: '1000', xact_start: '2000' },
      },
    ]);
    expect(judge(activeFor(3600)).findings[0]?.runbooks).toMatchObject([
      {
        name: 'cancel-query',
        params: { least_waiters: '0', pid: '4711', backend_start: '1000', xact_start: '2000', query_start: '3000' },
      },
    ]);
  });

  it('says in plain words what the runbook frees and what is lost', () => {
    const [finding] = judge({ ...idleFor(10_800), blocks: 3 }).findings;
    expect(finding?.title).toBe('pid 4711 sits idle in transaction');
    expect(finding?.runbooks[0]?.does).toBe(
      "ends pid 4711's connection; its transaction of 3 h is rolled back; 3 sessions wait for it. Cancel would do nothing: it is idle.",
    );
  });

  it('of a protected session says why nothing is offered', () => {
    const protectedBecause = () => "is Patroni's connection";
    const [finding] = judge(idleFor(900), { protectedBecause }).findings;
    expect(finding?.runbooks).toEqual([]);
    expect(finding?.facts).toMatchObject({ notOffered: { why: "is Patroni's connection" } });
    expect(finding?.summary).toContain("No runbook is offered: pid 4711 is Patroni's connection.");
  });
});

it('is never silent where the role is blind', () => {
  const node = { name: 'main', isStandby: false, role: 'odd "one"', seesAll: false };
  expect(judge({ state: null, transactionSeconds: 0 }, { node })).toEqual({
    findings: [],
    unjudged: [
      {
        reason:
          'the role odd "one" cannot see what other sessions do, so how long their transactions have been open is not judged',
        remedy: 'grant pg_monitor to "odd ""one""";',
      },
    ],
  });
});
