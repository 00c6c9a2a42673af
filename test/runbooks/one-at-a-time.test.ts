import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readRun, type StoredRun } from '../../src/state/runs.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { makeRunbook } from '../support/made-runbook.ts';
import { openRemedy, type Remedy } from '../support/remedy.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { type Hold, holdIn, ledger, readIndexes } from './reindex-phases.ts';

const analyze = makeRunbook('analyze-it', {
  class: 'maintain',
  params: { table: 'relation' },
  statement: '0',
  precondition: `select from pg_catalog.pg_class where oid = :'table_oid'::oid and relname = :'table_name'
    and relnamespace = (select oid from pg_catalog.pg_namespace where nspname = :'table_schema')`,
  act: 'analyze :"table_schema".:"table_name"',
  verify: `select reltuples >= 0 from pg_catalog.pg_class where oid = :'table_oid'::oid`,
});
let database: Database;
let state: Database;
let replicas: [Remedy, Remedy];
let hold: Hold;
let number = 0;

beforeAll(async () => {
  [database, state] = [await createDatabase(newest), await createDatabase(newest)];
});
failOnLeaks(() => database);
beforeEach(async () => {
  await database.run(ledger);
  await database.run('create index ledger_id_amount on ledger (id, amount); grant create on schema public to app');
  number += 1;
  replicas = [await open('one'), await open('other')];
  hold = await holdIn('building index', database);
});
afterEach(async () => {
  await hold.release();
  for (const replica of replicas) await replica.close();
  await database.run('drop table ledger; drop function held');
});

async function open(owner: string): Promise<Remedy> {
  const maintain = database.url('keeper');
  const remedy = await openRemedy({
    stateUrl: state.url(),
    monitorUrl: database.url('monitor'),
    signalUrl: database.url('actor'),
    actions: { maintain, ddl: maintain },
    targets: [`shop-${number}`],
  });
  const runbooks = new Map([...remedy.context.runbooks, [analyze.name, analyze]]);
  Object.assign(remedy.context, { owner, runbooks });
  return remedy;
}

/** Whose sessions act on the server, as often as one can look; two at one time are one name with an `and`. */
function watchActing(): { stop(): Promise<Set<string>> } {
  const seen = new Set<string>();
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const { rows } = await database.run(
        `select string_agg(application_name, ' and ' order by application_name) as who from pg_stat_activity
         where application_name like 'pgorderly/run/%' and state = 'active'`,
      );
      if (rows[0].who !== null) seen.add(rows[0].who);
      await sleep(5);
    }
  })();
  return {
    stop: async () => {
      isOver = true;
      await watching;
      return seen;
    },
  };
}

describe('while an index is rebuilt', () => {
  const others = [
    ['a rebuild of another index', 'reindex-index-concurrently', { index: 'public.ledger_pkey' }],
    ['a VACUUM', 'vacuum-table', { table: 'public.ledger' }],
    ['an ANALYZE', 'analyze-it', { table: 'public.ledger' }],
    ['a DROP INDEX', 'drop-index-concurrently', { index: 'public.ledger_id_amount' }],
  ] as const;

  it.each(others)(
    '%s of the same table waits, though approved, whichever replica tries',
    async (_, runbook, params) => {
      const [one, other] = replicas;
      const first = await one.ask('reindex-index-concurrently', { index: 'public.ledger_amount' });
      const second = await other.ask(runbook, params);
      await Promise.all([one.approve(first), other.approve(second)]);
      const acting = watchActing();
      const rebuilt = one.execute(first);
      await hold.reached();
      const tried: StoredRun[] = [];
      for (let count = 0; count < 3; count++)
        tried.push(...(await Promise.all(replicas.map((replica) => replica.execute(second)))));
      expect(tried.map((run) => run.state)).toEqual(tried.map(() => 'approved'));
      await hold.release();
      expect((await rebuilt).state).toBe('succeeded');
      await Promise.all(replicas.map((replica) => replica.execute(second)));
      expect(await readRun(one.context.pool, second.id)).toMatchObject({ state: 'succeeded' });
      expect([...(await acting.stop())].filter((who) => who.includes(' and '))).toEqual([]);
      expect(Object.values(await readIndexes(database))).not.toContain(false);
    },
  );

  it.each(others)(
    '%s and the rebuild, begun at once by both replicas, come one after the other',
    async (_, ...what) => {
      await hold.release();
      const first = await replicas[0].ask('reindex-index-concurrently', { index: 'public.ledger_amount' });
      const runs = [first, await replicas[1].ask(...what)];
      await Promise.all(runs.map((run, index) => replicas[index]?.approve(run)));
      const acting = watchActing();
      await until('both to have ended', async () => {
        const tries = runs.flatMap((run) => replicas.map((replica) => replica.execute(run)));
        return (await Promise.all(tries)).every((run) => run.finishedAt !== null);
      });
      expect([...(await acting.stop())].filter((who) => who.includes(' and '))).toEqual([]);
      const ended = await Promise.all(runs.map(({ id }) => readRun(replicas[0].context.pool, id)));
      expect(ended.map((run) => run?.state)).toEqual(['succeeded', 'succeeded']);
    },
  );
});
