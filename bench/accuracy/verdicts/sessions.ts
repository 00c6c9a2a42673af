import { lockChains } from '../../../jobs/lock-chains.ts';
import { longTransactions } from '../../../jobs/long-transactions.ts';
import { preparedTransactions } from '../../../jobs/prepared-transactions.ts';
import type { Finding } from '../../../src/model.ts';
import { exactly, type Trial } from './case.ts';

const orders = [
  'create table orders (id int primary key, v int)',
  'insert into orders select g, 0 from generate_series(1, 10) g',
];
const update = 'update orders set v = v + 1 where id = 1';

export const locks: Trial = {
  job: lockChains,
  thresholds: { minWaitSeconds: 0, criticalWaitSeconds: 3_600, criticalVictims: 500 },
  sayOf: (finding) => {
    const waiters = finding.facts['waiters'] as { pid: number }[];
    return `${rootOf(finding)} <- ${waiters.map(({ pid }) => pid).sort((a, b) => a - b)}`;
  },
  // Its action `locks` counts locks.
  peer: null,
  cases: [
    {
      name: 'a queue of five with a queued ALTER TABLE',
      trap: 'T1',
      isSick: true,
      async make(scene) {
        await scene.run(...orders);
        const s0 = await scene.session('begin', 'select v from orders where id = 1');
        const s1 = await scene.session('begin', update);
        const s2 = await scene.waiter('begin', update);
        const s3 = await scene.waiter('begin', update);
        const s4 = await scene.waiter('alter table orders add column late int');
        const s5 = await scene.waiter('select v from orders where id = 2');
        return exactly(line(s1, s2, s3, s4, s5), line(s0, s4, s5));
      },
    },
    {
      name: 'a statement of 2 s that waits since a moment',
      trap: 'T2',
      // Before 14 the server does not say since when.
      from: 14,
      thresholds: { minWaitSeconds: 1.5 },
      isSick: false,
      async make(scene) {
        await scene.run(...orders);
        await scene.session('begin', update);
        await scene.waiter(
          `with slow as materialized (select pg_sleep(2)) update orders set v = 2 from slow where id = 1`,
        );
        return exactly();
      },
    },
    {
      name: 'a row of a prepared transaction that nobody remembers',
      trap: 'T3',
      isSick: true,
      async make(scene) {
        await scene.run(...orders, `begin; ${update}; prepare transaction 'orphan'`);
        return exactly(line('orphan', await scene.waiter(update)));
      },
      cure: (scene) => scene.run("rollback prepared 'orphan'"),
    },
    {
      name: 'two who share a row, and one who wants it',
      isSick: true,
      async make(scene) {
        await scene.run(...orders);
        const holder = await scene.session('begin', 'select from orders where id = 1 for share');
        return exactly(line(holder, await scene.waiter(update)));
      },
    },
    {
      name: 'many locks, and nobody waits',
      isSick: false,
      async make(scene) {
        await scene.run(...orders);
        await scene.session('begin', update);
        await scene.session('begin', 'update orders set v = 2 where id = 2');
        return exactly();
      },
    },
  ],
};

export const transactions: Trial = {
  job: longTransactions,
  thresholds: { idleSeconds: 1, minSeconds: 1 },
  pauseSeconds: 1.5,
  sayOf: ({ subject }) => String('pid' in subject ? subject.pid : ''),
  peer: { action: 'txn_idle', options: () => ['--warning=1 second'] },
  cases: [
    {
      name: 'idle in transaction',
      isSick: true,
      make: async (scene) => exactly(String(await scene.session('begin', 'select 1'))),
    },
    {
      name: 'idle in a transaction that failed',
      trap: 'T14',
      isSick: true,
      make: async (scene) => exactly(String(await scene.session('begin', 'select 1/0'))),
    },
    {
      name: 'idle, and in no transaction',
      isSick: false,
      async make(scene) {
        await scene.session('select 1');
        return exactly();
      },
    },
  ],
};

export const prepared: Trial = {
  job: preparedTransactions,
  thresholds: { minSeconds: 1 },
  pauseSeconds: 1.5,
  sayOf: (finding) => String(rootOf(finding)),
  peer: { action: 'prepared_txns', options: () => ['--warning=1'] },
  cases: [
    {
      name: 'prepared and forgotten',
      isSick: true,
      async make(scene) {
        await scene.run(...orders, `begin; ${update}; prepare transaction 'forgotten'`);
        return exactly('forgotten');
      },
      cure: (scene) => scene.run("rollback prepared 'forgotten'"),
    },
    {
      name: 'prepared and ended',
      isSick: false,
      async make(scene) {
        await scene.run(...orders, `begin; ${update}; prepare transaction 'ended'`, "commit prepared 'ended'");
        return exactly();
      },
    },
  ],
};

function line(root: number | string, ...victims: number[]): string {
  return `${root} <- ${victims.sort((a, b) => a - b)}`;
}

function rootOf({ subject }: Finding): number | string {
  if (subject.kind === 'backend') return subject.pid;
  return subject.kind === 'prepared-transaction' ? subject.gid : '';
}
