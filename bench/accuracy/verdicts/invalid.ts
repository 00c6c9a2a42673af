import { invalidIndexes } from '../../../jobs/invalid-indexes.ts';
import { exactly, type Trial, type VerdictCase } from './case.ts';
import type { Scene } from './scene.ts';

const orders = [
  'create table orders (id int primary key, status text)',
  "insert into orders select n, 'new' from generate_series(1, 1000) n",
  'create index orders_status on orders (status)',
];

const cases: readonly VerdictCase[] = [
  {
    name: 'a partitioned index whose partitions have none yet',
    trap: 'T13',
    isSick: false,
    async make(scene) {
      await scene.run(
        'create table parts (id int) partition by range (id)',
        'create table parts_1 partition of parts for values from (0) to (10)',
        'create index parts_id on only parts (id)',
      );
      return exactly();
    },
  },
  {
    name: 'a unique build that failed',
    isSick: true,
    async make(scene) {
      await scene.run(...orders);
      await scene.fail('create unique index concurrently once on orders (status)');
      return exactly('once: decide');
    },
  },
  {
    name: 'a build that was cancelled',
    isSick: true,
    async make(scene) {
      await stopHalfway(scene, 'create index concurrently late on orders (id, status)');
      return exactly('late: decide');
    },
  },
  {
    name: 'a rebuild that was cancelled',
    isSick: true,
    async make(scene) {
      await stopHalfway(scene, 'reindex index concurrently orders_status');
      return exactly('orders_status_ccnew: drop');
    },
  },
  {
    name: 'a build that goes on',
    isSick: false,
    async make(scene) {
      await scene.run(...orders);
      await scene.session('begin isolation level repeatable read', 'select 1');
      await scene.waiter('create index concurrently going on orders (id, status)');
      return exactly();
    },
  },
  {
    name: 'a rebuild that goes on',
    isSick: false,
    async make(scene) {
      await scene.run(...orders);
      await scene.session('begin isolation level repeatable read', 'select 1');
      await scene.waiter('reindex index concurrently orders_status');
      return exactly();
    },
  },
  {
    name: 'a valid one that is named like a left-over',
    isSick: false,
    async make(scene) {
      await scene.run(...orders, 'alter index orders_status rename to orders_status_ccnew');
      return exactly();
    },
  },
  {
    name: 'a failed one that is named like a left-over',
    isSick: true,
    async make(scene) {
      await scene.run(...orders, 'drop index orders_status');
      await scene.fail('create unique index concurrently mine_ccnew on orders (status)');
      return exactly('mine_ccnew: decide');
    },
  },
  {
    name: 'one on which a constraint stands',
    isSick: true,
    async make(scene) {
      await scene.run(...orders, "update pg_index set indisvalid = false where indexrelid = 'orders_pkey'::regclass");
      return exactly('orders_pkey: rebuild');
    },
  },
];

export const invalid: Trial = {
  job: invalidIndexes,
  thresholds: {},
  sayOf: ({ subject, facts }) => `${'name' in subject ? subject.name : ''}: ${facts['advice']}`,
  peer: null,
  cases,
};

async function stopHalfway(scene: Scene, statement: string): Promise<void> {
  await scene.run(...orders);
  await scene.session('begin isolation level repeatable read', 'select 1');
  await scene.cancel(await scene.waiter(statement));
}
