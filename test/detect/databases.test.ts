import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { invalidIndexes } from '../../jobs/invalid-indexes.ts';
import { type CheckNode, type CheckTarget, checkTarget } from '../../src/detect/check.ts';
import { isChosenBy } from '../../src/detect/choice.ts';
import { isCovered } from '../../src/model.ts';
import { Reader } from '../../src/targets/reader.ts';
import { SlowLane } from '../../src/targets/slow-lane.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors, newest, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';

const opened: CheckNode[] = [];

function nodeAt(url: string, name = 'main', boundMs?: number): CheckNode {
  const lane = new SlowLane({ name, url, ...(boundMs === undefined ? {} : { boundMs }) });
  const node = { name, reader: new Reader({ name, url }), lane };
  opened.push(node);
  return node;
}

const targetOf = (...nodes: CheckNode[]): CheckTarget => ({ name: 'test', nodes, protectedBecause: () => null });
const check = async (target: CheckTarget) => (await checkTarget(invalidIndexes, target, {})).result;

describe.each(majors)('a job that looks into each database, on PostgreSQL %i', (major) => {
  let shop: Database;
  let crm: Database;
  beforeAll(async () => {
    [shop, crm] = [await createDatabase(major), await createDatabase(major)];
    for (const database of [shop, crm]) await makeInvalid(database);
  });
  failOnLeaks(() => shop);
  afterEach(closeAll);

  const isIn = (database: Database) => ({ node: 'main', database: database.name });

  it('finds the same name in two databases as two troubles', async () => {
    const { outcome, findings, unjudged, covered } = await check(targetOf(nodeAt(shop.url('plain'))));
    expect({ outcome, unjudged }).toEqual({ outcome: 'findings', unjudged: [] });
    const of = ({ name }: Database) => ({ database: name, fingerprint: `${name}.public.broken`, node: 'main' });
    expect(findings).toHaveLength(2);
    expect(findings).toEqual(expect.arrayContaining([shop, crm].map((one) => expect.objectContaining(of(one)))));
    expect(isCovered(covered, isIn(shop)) && isCovered(covered, isIn(crm))).toBe(true);
    expect(isCovered(covered, { node: 'gone', database: 'dropped' })).toBe(true);
  });

  it('names the grant for a database that it may not enter, and covers the others', async () => {
    await shop.run(`revoke connect on database ${crm.name} from public`);
    const { findings, unjudged, covered } = await check(targetOf(nodeAt(shop.url('plain'))));
    await shop.run(`grant connect on database ${crm.name} to public`);
    expect(findings.map(({ database }) => database)).toEqual([shop.name]);
    expect(unjudged).toEqual([
      {
        node: 'main',
        database: crm.name,
        reason: `database ${crm.name}: the role plain may not connect`,
        remedy: `grant connect on database "${crm.name}" to "plain";`,
      },
    ]);
    expect([shop, crm].map((one) => isCovered(covered, isIn(one)))).toEqual([true, false]);
  });

  it('says for one database that its catalog is locked, and judges the others meanwhile', async () => {
    const holder = await crm.client();
    await holder.query('begin; lock table pg_catalog.pg_index in access exclusive mode');
    const { findings, unjudged, covered } = await check(targetOf(nodeAt(shop.url('monitor'))));
    await holder.end();
    expect(findings.map(({ database }) => database)).toEqual([shop.name]);
    expect(unjudged).toMatchObject([{ database: crm.name }]);
    expect([shop, crm].map((one) => isCovered(covered, isIn(one)))).toEqual([true, false]);
  });

  it('looks only into the databases of the configuration', async () => {
    const target = targetOf(nodeAt(shop.url('monitor')));
    const { findings, covered } = await check({ ...target, isChosen: (name) => isChosenBy([`!${crm.name}`], name) });
    expect(findings.map(({ database }) => database)).toEqual([shop.name]);
    expect(isCovered(covered, isIn(crm))).toBe(false);
  });

  it('asks the primary alone, so that nothing is found twice', async () => {
    const replica = await standby(major);
    await until('the index on the standby', async () => {
      const result = await check(targetOf(nodeAt(replica.url(shop.name))));
      return result.unjudged.some(({ reason }) => reason.includes('a standby does not show'));
    });
    const [primary, second] = [nodeAt(shop.url('monitor'), 'one'), nodeAt(replica.url(shop.name, 'monitor'), 'two')];
    const both = await check(targetOf(second, primary));
    expect(both.findings.map(({ node }) => node)).toEqual(['one', 'one']);
    expect(both.unjudged).toEqual([]);
  });

  it('judges nothing while no primary answers, or two do', async () => {
    const replica = await standby(major);
    const gone = nodeAt('postgres://monitor@127.0.0.1:1/postgres', 'gone');
    const without = await check(targetOf(gone, nodeAt(replica.url('postgres', 'monitor'), 'two')));
    expect(without).toMatchObject({ outcome: 'error', findings: [], covered: [] });
    expect(without.unjudged).toMatchObject([{ reason: 'no node that answers is the primary' }]);
    const twice = await check(targetOf(nodeAt(shop.url(), 'one'), nodeAt(crm.url(), 'two')));
    expect(twice).toMatchObject({ outcome: 'cannot-judge', findings: [], covered: [] });
    expect(twice.reason).toContain('one and two are both out of recovery');
  });
});

describe('many databases', () => {
  let databases: Database[];
  beforeAll(async () => {
    databases = [];
    for (let made = 0; made < 4; made++) databases.push(await createDatabase(newest));
  });
  failOnLeaks(() => databases[0] as Database);
  afterEach(closeAll);

  const first = () => databases[0] as Database;
  const names = () => databases.map(({ name }) => name);

  it('with one reason not to be judged are one line, with one grant for all', async () => {
    for (const name of names()) await first().run(`revoke connect on database ${name} from public`);
    const { unjudged } = await check(targetOf(nodeAt(first().server.url('postgres', 'plain'))));
    for (const name of names()) await first().run(`grant connect on database ${name} to public`);
    expect(unjudged).toHaveLength(1);
    expect(unjudged[0]?.reason).toMatch(
      new RegExp(`^4 of \\d databases \\(${names().join(', ')}\\): the role plain may not connect$`),
    );
    expect(unjudged[0]?.remedy).toBe(
      `grant connect on database ${names()
        .map((name) => `"${name}"`)
        .join(', ')} to "plain";`,
    );
  });

  it('are looked into over one connection, and none is left', async () => {
    const node = nodeAt(first().url('monitor'));
    const seen = new Set<number>();
    let most = 0;
    const all = await node.lane?.visit('test', names(), async (reader) => {
      const { pid } = await reader.probe();
      seen.add(pid);
      const count = "select count(*)::int as n from pg_stat_activity where application_name = 'pgorderly/detect'";
      most = Math.max(most, (await first().run(count)).rows[0].n);
    });
    expect(all?.map(({ outcome }) => outcome)).toEqual(Array(4).fill('seen'));
    expect(seen.size).toBe(4);
    expect(most).toBe(1);
  });

  it('take turns where there is no time for all: whoever was left out comes first', async () => {
    const node = nodeAt(first().url('monitor'), 'main', 0);
    const reached = new Set<string>();
    for (let visit = 0; visit < 4; visit++) {
      const visits = await node.lane?.visit('test', names(), async (reader) => reader.ask('select pg_sleep(0.01)'));
      const [one, ...more] = visits?.filter(({ outcome }) => outcome === 'seen') ?? [];
      expect(more).toEqual([]);
      if (one) reached.add(one.database);
    }
    expect([...reached].sort()).toEqual([...names()].sort());
  });

  it('are gone without by a visitor whose turn does not come soon, and who holds up nobody', async () => {
    const node = nodeAt(first().url('monitor'));
    const visiting = node.lane?.visit('slow', names().slice(0, 1), (reader) => reader.ask('select pg_sleep(0.5)'));
    const hasty = await node.lane?.visit('hasty', names(), (reader) => reader.probe(), 50);
    expect(hasty?.map(({ outcome }) => outcome)).toEqual(Array(4).fill('unreached'));
    expect((await visiting)?.map(({ outcome }) => outcome)).toEqual(['seen']);
    const patient = await node.lane?.visit('hasty', names(), (reader) => reader.probe(), 5_000);
    expect(patient?.map(({ outcome }) => outcome)).toEqual(Array(4).fill('seen'));
  });

  it('are left at once when the lane is closed', async () => {
    const node = nodeAt(first().url('monitor'));
    const visiting = node.lane?.visit('test', names(), async (reader) => {
      await reader.probe();
      await reader.ask('select pg_sleep(0.5)');
    });
    await until('the connection', async () => (node.lane?.pids().length ?? 0) > 0);
    await node.lane?.close();
    const outcomes = (await visiting)?.map(({ outcome }) => outcome);
    expect(outcomes).not.toContain('seen');
    expect(outcomes?.filter((outcome) => outcome === 'unreached').length).toBeGreaterThanOrEqual(3);
  });
});

async function closeAll(): Promise<void> {
  await Promise.all(opened.splice(0).flatMap(({ reader, lane }) => [reader.close(), lane?.close()]));
}

/** As a failed concurrent build leaves it. */
async function makeInvalid(database: Database): Promise<void> {
  await database.run('create table things (id integer)');
  await database.run('insert into things values (1), (1)');
  const failed = database.run('create unique index concurrently broken on things (id)');
  await expect(failed).rejects.toMatchObject({ code: '23505' });
}
