import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CheckNode, checkTarget } from '../../src/detect/check.ts';
import { defineJob, type NodeAnswer } from '../../src/detect/job.ts';
import { Reader } from '../../src/targets/reader.ts';
import { SlowLane } from '../../src/targets/slow-lane.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, newest, openDatabase, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';

interface Facts {
  database: string;
  connections: number;
}

/** Notes what its judge was handed of each database; reads with the question of another job. */
function notingJob() {
  const handed: { facts: Facts; elsewhere: readonly NodeAnswer<Facts>[] }[] = [];
  const job = defineJob({
    name: 'unused-indexes',
    title: 'A job that asks each node',
    delivery: 'report',
    scope: 'database',
    isAskedEverywhere: true,
    schedule: '0 0 3 * * *',
    fire: { afterSeconds: 0 },
    clear: { factor: 1, samples: 1 },
    thresholds: {},
    measures: {},
    gather: async (ask): Promise<Facts> => ({ database: '', connections: (await ask('server')).length }),
    sample: (_, __, elsewhere = []) => [{ series: 'answers', value: elsewhere.length }],
    judge(facts: Facts, _, elsewhere = []) {
      handed.push({ facts, elsewhere });
      return { findings: [], unjudged: [] };
    },
  });
  return { job, handed };
}

describe('a job that asks each node about each database', () => {
  let shop: Database;
  let crm: Database;
  let urls: Record<string, string>;
  const opened: CheckNode[] = [];
  beforeAll(async () => {
    const second = await standby(newest);
    [shop, crm] = [await createDatabase(newest), await createDatabase(newest)];
    await until('both on the standby', () => openDatabase(second, crm.name).catch(() => null));
    const nowhere = 'postgres://monitor@127.0.0.1:1/postgres';
    urls = { first: shop.url('monitor'), second: second.url('postgres', 'monitor'), nowhere };
  });
  failOnLeaks(() => shop);
  afterEach(async () => {
    await Promise.all(opened.splice(0).flatMap(({ reader, lane }) => [reader.close(), lane?.close()]));
  });

  const isChosen = (name: string) => [shop.name, crm.name].includes(name);
  function targetOf(...names: string[]) {
    const nodes = names.map((name) => ({
      name,
      reader: new Reader({ name, url: urls[name] ?? '' }),
      lane: new SlowLane({ name, url: urls[name] ?? '' }),
    }));
    opened.push(...nodes);
    return { name: 'test', nodes, protectedBecause: () => null, isChosen };
  }

  it('hands its judge the answers of the others beside those of the primary, and why there are none', async () => {
    const { job, handed } = notingJob();
    const { result, samples } = await checkTarget(job, targetOf('second', 'nowhere', 'first'), {});
    expect(result).toMatchObject({ outcome: 'ok', databases: 2 });
    expect(handed).toHaveLength(4);
    for (const { facts, elsewhere } of handed) {
      expect(facts.connections).toBe(1);
      expect(elsewhere).toMatchObject([
        { node: 'second', role: { isStandby: true, login: 'monitor' }, facts: { connections: 1 }, error: null },
        { node: 'nowhere', role: null, facts: null, error: expect.stringContaining('refused the connection') },
      ]);
    }
    expect(samples.map((sample) => 'value' in sample && sample.value)).toEqual([2, 2]);
  });

  it('says of one database why another node did not answer, and goes on', async () => {
    const { job, handed } = notingJob();
    const second = await openDatabase(await standby(newest));
    await second.run('select pg_wal_replay_pause()');
    const late = await createDatabase(newest);
    const isWanted = (name: string) => [shop.name, late.name].includes(name);
    await checkTarget(job, { ...targetOf('first', 'second'), isChosen: isWanted }, {});
    await second.run('select pg_wal_replay_resume()');
    const errors = handed.map(({ elsewhere }) => elsewhere[0]?.error ?? null);
    expect(errors).toContain(null);
    expect(errors).toContainEqual(expect.stringContaining(`database "${late.name}" does not exist`));
  });

  it('takes one connection of a lane a node, and leaves none', async () => {
    const { job } = notingJob();
    const target = targetOf('first', 'second');
    const most = new Map<string, number>();
    const watching = setInterval(() => {
      for (const { name, reader, lane } of target.nodes)
        most.set(name, Math.max(most.get(name) ?? 0, reader.pids().length + lane.pids().length));
    }, 1);
    await checkTarget(job, target, {});
    clearInterval(watching);
    expect([...most.values()].every((count) => count <= 2)).toBe(true);
    expect(target.nodes.flatMap(({ lane }) => lane.pids())).toEqual([]);
  });

  it('asks over the one connection from a terminal, where that is to the same database', async () => {
    const { job, handed } = notingJob();
    const nodes = targetOf('first', 'second').nodes.map(({ name, reader }) => ({ name, reader }));
    await checkTarget(job, { name: 'test', nodes, protectedBecause: () => null }, {});
    expect(handed[0]?.elsewhere).toMatchObject([{ node: 'second', facts: null, error: expect.any(String) }]);
  });
});
