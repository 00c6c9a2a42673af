import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { LockFacts } from '../../jobs/lock-chains.chain.ts';
import { freedBy, rootsOf, structureOf, victimsOf } from '../../jobs/lock-chains.graph.ts';
import { lockChains } from '../../jobs/lock-chains.ts';
import type { JudgeContext } from '../../src/detect/job.ts';
import { factsOf, queuesOf, session, type TestSession, waiter } from './lock-session.ts';

type Context = JudgeContext<typeof lockChains.thresholds>;

const context: Context = {
  thresholds: { minWaitSeconds: 60, criticalWaitSeconds: 300, criticalVictims: 20 },
  now: new Date(0),
  node: { name: 'main', isStandby: false, role: 'monitor', seesAll: true },
  protectedBecause: () => null,
  history: () => [],
};
const everything = { minWaitSeconds: 0, criticalWaitSeconds: 300, criticalVictims: 20 };

function judge(sessions: TestSession[], facts: Partial<LockFacts> = {}, changes: Partial<Context> = {}) {
  return lockChains.judge(factsOf(sessions, facts), { ...context, ...changes });
}

const many = (count: number, waitSeconds: number) =>
  Array.from({ length: count }, (_, index) => waiter(100 + index, [1], { waitSeconds }));

test.each<[string, TestSession[], string | undefined, number?]>([
  ['one wait below the limit', many(1, 59), undefined],
  ['one wait', many(1, 60), 'warning'],
  ['nine that wait a third of it', many(9, 20), undefined],
  ['ten that wait a third of it', many(10, 20), 'warning'],
  ['ten that wait less', many(10, 19), undefined],
  ['one long wait', many(1, 300), 'critical'],
  ['twenty that wait half of it', many(20, 30), 'critical'],
  ['nineteen that wait half of it', many(19, 30), 'warning'],
  ['a fifth of all connections', many(4, 1), 'critical', 20],
])('%s', (_, waiters, severity, maxConnections = 1000) => {
  expect(judge([session(1), ...waiters], { maxConnections }).findings[0]?.severity).toBe(severity);
});

it('reports everything at zero', () => {
  const { findings } = judge([session(1), waiter(2, [1], { waitSeconds: 0 })], {}, { thresholds: everything });
  expect(findings).toHaveLength(1);
});

describe('a chain', () => {
  const reader = session(10);
  const writer = session(11, { writes: [16_400] });
  const row = { lockType: 'transactionid', mode: 'ShareLock', relationOid: null, lockDatabaseOid: null, rowOf: 16_400 };
  const second = waiter(12, [11], row);
  const third = waiter(13, [12], { lockType: 'tuple', mode: 'ExclusiveLock', rowOf: 16_400 });
  const alter = waiter(14, [10, 11, 12, 13], { mode: 'AccessExclusiveLock', query: 'alter table t add column x int' });
  const select = waiter(15, [14], { mode: 'AccessShareLock', query: 'select 1 from t' });
  const names = [{ oid: 16_400, name: 'shop.orders', isPart: false }];
  const { findings } = judge([reader, writer, second, third, alter, select], { names });

  it('has one finding a root, with all that wait for it, directly or not', () => {
    const found = findings.map(({ subject, facts }) => ({ subject, waiters: facts['waiters'] }));
    expect(found).toMatchObject([
      { subject: { kind: 'backend', pid: 11, backendStart: '111' } },
      { subject: { kind: 'backend', pid: 10 } },
    ]);
    const pids = findings.map(({ facts }) => (facts['waiters'] as { pid: number }[]).map((one) => one.pid).sort());
    expect(pids).toEqual([
      [12, 13, 14, 15],
      [14, 15],
    ]);
    expect(findings[0]?.facts['victimCount']).toBe(4);
    expect(found[0]?.waiters).toContainEqual({
      pid: 14,
      blockedBy: [10, 11, 12, 13],
      waitSeconds: 60,
      mode: 'AccessExclusiveLock',
      object: 'shop.orders',
    });
  });

  it('offers the queued DDL first, then the root, and says what each frees and costs', () => {
    expect(findings[0]?.runbooks).toEqual([
      {
        name: 'cancel-queued-ddl',
        params: { least_waiters: '1', pid: '14', backend_start: '141', xact_start: '142', query_start: '143' },
        does: "cancels pid 14's statement that queues for shop.orders; its change is not made, its transaction of 6 min 40 s is rolled back; frees 1 of 4 waiting sessions.",
      },
      {
        name: 'terminate-session',
        params: { least_waiters: '1', pid: '11', backend_start: '111', xact_start: '112' },
        does: "ends pid 11's connection; its transaction of 6 min 40 s is rolled back; frees 2 of 4 waiting sessions. Cancel would do nothing: it is idle.",
      },
    ]);
  });

  it('is drawn as a tree that fits', () => {
    expect(findings[0]?.evidence).toBe(
      [
        '11 idle in transaction 6m40s  update t set v = $1 -- 11',
        '├─ 12 waits 1m  update t set v = $1 -- 12',
        '│  └─ 13 waits 1m  update t set v = $1 -- 13',
        '└─ 14 waits 1m  alter table t add column x int  ← makes every reader wait',
        '   └─ 15 waits 1m  select 1 from t',
      ].join('\n'),
    );
  });

  it('keeps its fingerprint when names cannot be read', () => {
    const [nameless] = judge([reader, writer, second, third, alter, select]).findings;
    expect(nameless?.fingerprint).toBe(findings[0]?.fingerprint);
    expect(nameless?.fingerprint).toBe('database 5 relation 16400');
    expect(nameless?.summary).toContain('relation 16400');
  });

  it('cancels an active root instead of ending its session', () => {
    const [finding] = judge([session(1, { state: 'active' }), waiter(2, [1])]).findings;
    expect(finding?.title).toBe('1 session waits behind one running statement');
    expect(finding?.runbooks.map((offer) => offer.name)).toEqual(['cancel-query']);
  });
});

it('draws the five that wait longest and counts the others, however many and however long their texts', () => {
  const query = 'select\n  '.repeat(40);
  const queue = Array.from({ length: 400 }, (_, index) => waiter(1000 + index, [1], { waitSeconds: index, query }));
  const [finding] = judge([session(1, { query }), ...queue]).findings;
  const lines = finding?.evidence?.split('\n') ?? [];
  expect(lines).toHaveLength(7);
  expect(lines.at(-1)).toBe('└─ … 395 more');
  expect(lines[1]).toMatch(/^├─ 1399 waits 6m39s {2}select/);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(90);
});

it('has the whole tree, and what is wanted by object and mode, where the card cannot show all', () => {
  const alter = waiter(2, [1], { mode: 'AccessExclusiveLock', waitSeconds: 90 });
  const readers = Array.from({ length: 20 }, (_, index) => waiter(100 + index, [2], { mode: 'AccessShareLock' }));
  const [finding] = judge([session(1), alter, ...readers]).findings;
  expect(finding?.facts['waits']).toEqual([
    { object: 'relation 16400', mode: 'AccessShareLock', sessions: 20 },
    { object: 'relation 16400', mode: 'AccessExclusiveLock', sessions: 1 },
  ]);
  const lines = finding?.wholeEvidence?.split('\n') ?? [];
  expect(lines[0]).toBe('20 sessions want AccessShareLock on relation 16400');
  expect(lines.filter((line) => line.includes('waits'))).toHaveLength(21);
  expect(judge([session(1), alter]).findings[0]?.wholeEvidence).toBeUndefined();
});

describe('a hot row', () => {
  const row = { lockType: 'tuple', mode: 'ExclusiveLock', rowOf: 16_400 };
  const storm = (root: number) => [
    session(root, { transactionSeconds: 0.5, stateSeconds: 0.1 }),
    waiter(50, [root], {
      ...row,
      lockType: 'transactionid',
      relationOid: null,
      lockDatabaseOid: null,
      waitSeconds: 0.4,
    }),
    ...[51, 52, 53].map((pid) => waiter(pid, [root, 50], { ...row, waitSeconds: 70, application: 'etl' })),
  ];

  it('is one trouble while its root changes', () => {
    const fingerprints = [1, 2, 3].map((root) => judge(storm(root)).findings[0]?.fingerprint);
    expect(new Set(fingerprints)).toEqual(new Set(['database 5 relation 16400']));
  });

  it('offers nothing, but says who writes it', () => {
    const [finding] = judge(storm(1)).findings;
    expect(finding?.runbooks).toEqual([]);
    expect(finding?.title).toBe('4 sessions wait in turn for a row of relation 16400');
    expect(finding?.summary).toContain('etl (role app) 3 sessions, web (role app) 2 sessions');
    expect(finding?.facts['notOffered']).toEqual({ why: 'has kept them waiting for only about 0.4 s' });
  });

  it('offers its holder once that has kept it for long, whatever was before', () => {
    const [root, next, ...queue] = storm(1).map((one) => ({
      ...one,
      waitSeconds: one.waitSeconds && one.waitSeconds + 65,
    }));
    const holder = { ...root, transactionSeconds: 130, stateSeconds: 65, statementSeconds: 130 } as TestSession;
    const [finding] = judge([holder, next as TestSession, ...queue]).findings;
    expect(finding?.runbooks.map((offer) => offer.name)).toEqual(['terminate-session']);
    expect(finding?.title).toBe('4 sessions wait behind one idle transaction');
  });

  it('does not count the time that its holder waited for it, where waits are not dated', () => {
    const undated = storm(1).map((one) => ({ ...one, waitSource: 'query_start' as const }));
    const holder = { ...undated[0], transactionSeconds: 90, statementSeconds: 90, stateSeconds: 0.5 } as TestSession;
    expect(judge([holder, ...undated.slice(1)]).findings[0]?.runbooks).toEqual([]);
  });
});

test.each<[string, Partial<TestSession>, string]>([
  ['a walsender', { backendType: 'walsender' }, 'is a walsender'],
  ['an autovacuum', { backendType: 'autovacuum worker' }, 'gives way'],
  ['an autovacuum against wraparound', { backendType: 'autovacuum worker', preventsWraparound: true }, 'wraparound'],
  ['a commit that waits for a standby', { waitEvent: 'SyncRep' }, 'synchronous standby'],
  ['the startup process of a standby', { backendType: 'startup', xactStart: null }, 'not a client'],
  ['a client whose role could not be read', { user: null }, 'may be a protected one'],
  ['an advisory lock outside a transaction', { state: 'idle', xactStart: null, transactionSeconds: null }, 'advisory'],
])('%s as root is shown and not offered', (_, root, why) => {
  const [finding] = judge([session(1, root), waiter(2, [1])]).findings;
  expect(finding?.runbooks).toEqual([]);
  expect(finding?.facts['notOffered']).toMatchObject({ why: expect.stringContaining(why) });
});

it('offers neither a protected root nor a protected queue', () => {
  const alter = waiter(2, [1], { mode: 'AccessExclusiveLock' });
  const protectedBecause = () => "is Patroni's connection";
  const [finding] = judge([session(1), alter, waiter(3, [2])], {}, { protectedBecause }).findings;
  expect(finding?.runbooks).toEqual([]);
});

it('does not offer to cancel queued DDL where others would still make the same sessions wait', () => {
  const alters = [2, 3].map((pid) => waiter(pid, pid === 2 ? [1] : [1, 2], { mode: 'AccessExclusiveLock' }));
  const [finding] = judge([session(1), ...alters, waiter(4, [2, 3], { mode: 'AccessShareLock' })]).findings;
  expect(finding?.runbooks.map((offer) => offer.name)).toEqual(['terminate-session']);
});

it('names a prepared transaction and leaves it to a person', () => {
  const wait = {
    gid: "o'brien",
    virtualTransaction: '-1/7',
    owner: 'app',
    database: 'shop',
    preparedSeconds: 7200,
    writes: [16_400],
  };
  const row = { lockType: 'transactionid', relationOid: null, lockDatabaseOid: null, writes: [16_400, 16_404] };
  const [finding] = judge([waiter(2, [0], row)], { prepared: [wait] }).findings;
  expect(finding?.subject).toEqual({ kind: 'prepared-transaction', gid: "o'brien" });
  expect(finding?.runbooks).toEqual([]);
  expect(finding?.summary).toContain("`rollback prepared 'o''brien'`");
  expect(finding?.fingerprint).toBe('database 5 relation 16400');
  expect(finding?.facts['waiters']).toMatchObject([{ pid: 2, blockedBy: [0] }]);
});

it('tells which table a duplicate key is of by what both sides have written', () => {
  const names = [
    { oid: 16_400, name: 'shop.orders', isPart: false },
    { oid: 16_404, name: 'shop.orders_pkey', isPart: true },
  ];
  const row = { lockType: 'transactionid', relationOid: null, lockDatabaseOid: null, writes: [16_400, 16_404, 16_500] };
  const [finding] = judge([session(1, { writes: [16_300, 16_400, 16_404] }), waiter(2, [1], row)], { names }).findings;
  expect(finding?.fingerprint).toBe('database 5 relation 16400');
  expect(finding?.summary).toContain('a row of shop.orders,');
});

it('does not take the name of another database for the relation of this one', () => {
  const names = [{ oid: 16_400, name: 'wrong.one', isPart: false }];
  const [finding] = judge([session(1), waiter(2, [1], { isNameable: false })], { names }).findings;
  expect(finding?.summary).toContain('relation 16400');
});

test.each([
  ['0/42/1', '42'],
  ['4294967295/4294967295/1', '-1'],
  ['1/2/2', '(1, 2)'],
])('names the advisory lock %s as the application wrote it', (objectKey, name) => {
  const lock = { lockType: 'advisory', mode: 'ExclusiveLock', relationOid: null, objectKey };
  const [finding] = judge([session(1), waiter(2, [1], lock)]).findings;
  expect(finding?.facts['object']).toBe(`advisory lock ${name}`);
});

it('names a deadlock, offers nothing for it, and grades it as other waits', () => {
  const cycle = [waiter(1, [2]), waiter(2, [3]), waiter(3, [1]), waiter(4, [2])];
  const [finding, ...others] = judge(cycle).findings;
  expect(others).toEqual([]);
  expect(finding).toMatchObject({ severity: 'warning', runbooks: [], facts: { cycle: [1, 2, 3], behind: [4] } });
  expect(finding?.summary).toContain('Pids 1, 2 and 3 wait for each other. 1 session more behind them.');
  expect(judge(cycle.map((one) => ({ ...one, waitSeconds: 59 }))).findings).toEqual([]);
});

it('says how it knows a wait that the server does not date', () => {
  const [finding] = judge([session(1), waiter(2, [1], { waitSource: 'query_start' })]).findings;
  expect(finding?.facts['waitSource']).toBe('query_start');
  expect(finding?.summary).toContain('the longest for at most 1 min');
});

it('shows what a blind role sees, offers nothing, and says what it cannot judge', () => {
  const node = { name: 'main', isStandby: false, role: 'plain', seesAll: false };
  const hidden = { backendStart: null, xactStart: null, queryStart: null, backendType: null, state: null } as const;
  const ages = {
    transactionSeconds: null,
    statementSeconds: null,
    stateSeconds: null,
    query: '<insufficient privilege>',
  };
  const { findings, unjudged } = judge([session(1, { ...hidden, ...ages }), waiter(2, [1], hidden)], {}, { node });
  expect(findings[0]?.runbooks).toEqual([]);
  expect(findings[0]?.facts['victimCount']).toBe(1);
  expect(unjudged).toMatchObject([{ remedy: 'grant pg_monitor to "plain";' }]);
});

describe('any graph', () => {
  const graphs = fc
    .array(fc.uniqueArray(fc.integer({ min: 1, max: 15 }), { maxLength: 4 }), { minLength: 15, maxLength: 15 })
    .map((blockers) => blockers.map((pids, index) => waiter(index + 1, pids)))
    .map((rows) => rows.map((row) => (row.blockedBy?.length === 0 ? { ...row, blockedBy: null } : row)));
  const blockersOf = (rows: TestSession[], pid: number) =>
    (rows.find((row) => row.pid === pid)?.blockedBy ?? []).filter((blocker) => blocker !== pid);

  it('has those as victims of a root that reach it', () => {
    const reaches = (rows: TestSession[], from: number, root: number, seen = new Set<number>()): boolean =>
      blockersOf(rows, from).some((pid) => pid === root || (!seen.has(pid) && reaches(rows, pid, root, seen.add(pid))));
    fc.assert(
      fc.property(graphs, (rows) => {
        const graph = structureOf(queuesOf(rows));
        for (const root of rootsOf(graph)) {
          const expected = rows.map((row) => row.pid).filter((pid) => reaches(rows, pid, Number(root)));
          expect([...victimsOf(graph, root).keys()].sort((a, b) => a - b)).toEqual(expected);
        }
      }),
    );
  });

  it('frees those all of whose blockers are gone or freed', () => {
    fc.assert(
      fc.property(graphs, fc.integer({ min: 1, max: 15 }), (rows, gone) => {
        const freed = freedBy(structureOf(queuesOf(rows)), gone);
        for (const { pid } of rows.filter((row) => row.pid !== gone)) {
          const blockers = blockersOf(rows, pid);
          const isFree = blockers.length > 0 && blockers.every((blocker) => blocker === gone || freed.has(blocker));
          expect(freed.has(pid)).toBe(isFree);
        }
      }),
    );
  });
});
