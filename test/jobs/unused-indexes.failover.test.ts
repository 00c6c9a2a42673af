import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Server } from '../../src/demo/server.ts';
import type { PlacedSample } from '../../src/detect/history.ts';
import { majors, newest, ownServer, standbyOf } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { type Change, checkUse, pastOf } from './unused-past.ts';

const heavy = majors.filter((major) => [12, 15, 18, newest].includes(major));

describe.each(heavy)('unused-indexes after a crash and a failover, on PostgreSQL %i', { timeout: 120_000 }, (major) => {
  let one: Server;
  let two: Server;
  beforeAll(async () => {
    one = await ownServer(major);
    await run(one, 'create table t as select n as a from generate_series(1, 2000) n');
    await run(one, 'create index i on t (a)', 'vacuum t');
    two = await standbyOf(one);
  }, 120_000);
  afterAll(() => Promise.all([one?.remove(), two?.remove()]));

  const urls = () => ({ one: one.url('postgres', 'monitor'), two: two.url('postgres', 'monitor') });
  const look = async (past: readonly PlacedSample[] = [], nodes: Record<string, string> = urls(), change?: Change) =>
    checkUse('postgres', nodes, { past: pastOf(past, 36, change) });
  const scans = (samples: readonly PlacedSample[], node: string) =>
    samples
      .flatMap((sample) =>
        sample.series === `postgres/scans ${node}` && 'objects' in sample ? [Object.entries(sample.objects)] : [],
      )[0]
      ?.find(([key]) => key.startsWith('public.i#'))?.[1];
  const samplesWith = (count: number) =>
    until(`${count} scans`, async () => {
      const { samples } = await look();
      return scans(samples, 'one') === count && scans(samples, 'two') === 0 && samples;
    });

  it('counts on over both: what was unused stays so, and one scan after it is seen', async () => {
    for (let scan = 0; scan < 3; scan++) await use(one);
    const before = await samplesWith(3);
    expect((await look(before)).result).toMatchObject({ outcome: 'findings' });

    await one.stop('immediate');
    await one.run();
    await until('the standby to stream again', async () => (await senders(one)) === 1);
    await samplesWith(0);
    expect((await look(before)).result).toMatchObject({ outcome: 'findings', unjudged: [] });

    await use(one);
    await samplesWith(1);
    expect((await look(before)).result).toMatchObject({ outcome: 'ok', findings: [] });

    await one.stop('fast');
    await run(two, 'select pg_promote()');
    const without = (await look(before)).result;
    expect(without).toMatchObject({ outcome: 'cannot-judge', findings: [] });
    expect(without.unjudged[0]?.reason).toContain('one did not say how often it scans an index');
    const alone = (await look(before, { two: urls().two })).result;
    expect(alone.findings).toMatchObject([{ node: 'two', facts: { nodes: ['two'] } }]);
  });
});

async function run(server: Server, ...statements: string[]): Promise<pg.QueryResult | undefined> {
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  let last: pg.QueryResult | undefined;
  try {
    for (const statement of statements) last = await client.query(statement);
  } finally {
    await client.end();
  }
  return last;
}

async function use(server: Server): Promise<void> {
  await run(server, 'set enable_seqscan = off', 'select from t where a = 7');
}

async function senders(server: Server): Promise<number> {
  return (await run(server, "select from pg_stat_replication where state = 'streaming'"))?.rows.length ?? 0;
}
