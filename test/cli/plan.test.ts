import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { StateDatabase } from '../../src/state/database.ts';
import { pgorderly } from '../support/command.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';

let database: Database;
let folder: string;
let file: string;

beforeAll(async () => {
  const state = await createDatabase(newest);
  database = await createDatabase(newest);
  await database.run('create table orders (id integer primary key, status text); alter table orders owner to app');
  await database.run('create index orders_status on orders (status); alter table orders owner to app');
  const bot = new StateDatabase(state.url(), createLog('silent'));
  await bot.start();
  await bot.close();
  folder = mkdtempSync(join(tmpdir(), 'pgorderly-plan-'));
  file = join(folder, 'pgorderly.yaml');
  writeFileSync(
    file,
    `state: { url: "${state.url()}" }
slack: { botToken: xoxb-1, appToken: xapp-1 }
approvers: { dba: [U0MIRA, U0TOM] }
policies: { elsewhere: { medium: { people: 1, of: [dba] } } }
targets:
  - name: shop
    environment: staging
    channel: C0OPS
    nodes: [{ name: main, url: "${database.url('monitor')}", actions: { maintain: "${database.url('keeper')}" } }]
`,
  );
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const plan = (...words: string[]) => pgorderly(['plan', ...words, '--config', file, '--target', 'shop']);

it('says what it would do, and what every guard says of it, and runs nothing', async () => {
  const before = await database.run("select 'orders_status'::regclass::oid::int as oid");
  const { code, out, err } = await plan('reindex-index-concurrently', '--param', 'index=public.orders_status');
  expect([code, err]).toEqual([0, '']);
  expect(out).toContain(
    'Will run         reindex index concurrently "public"."orders_status"\nsize             8.0 kB\n',
  );
  expect(out).toMatch(/^Takes {12}about 1 s, a guess: it has not been done here yet$/m);
  expect(out).toMatch(/^Needs {12}up to 16 kB free on disk meanwhile, and writes up to 8.0 kB of WAL$/m);
  expect(out).toMatch(/^Guards {11}✓ the same server\n {17}✓ a primary$/m);
  expect(out).toContain('Nothing was run. It may be run now, once it is approved.');
  expect((await database.run("select 'orders_status'::regclass::oid::int as oid")).rows).toEqual(before.rows);
});

it('gives it as one JSON document', async () => {
  const { code, out } = await plan('reindex-index-concurrently', '--param', 'index=public.orders_status', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({
    plan: { runbook: 'reindex-index-concurrently', database: database.name },
    hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    figures: { size_bytes: 8192 },
    verdicts: expect.arrayContaining([{ ok: true, says: 'a primary' }]),
  });
});

test.each([
  [
    'an index that is not there',
    ['--param', 'index=public.nothing'],
    1,
    /has no public\.nothing\n.*index=<schema>\.<name>/,
  ],
  ['a name without its schema', ['--param', 'index=orders_status'], 1, /"orders_status" is not the name of a relation/],
  ['no name', [], 1, /index is missing, expected the name of a relation with its schema/],
  ['a parameter that is none', ['--param', 'index'], 2, /--param index is not name=value/],
  [
    'one that it does not take',
    ['--param', 'index=public.orders_status', '--param', 'pid=1'],
    1,
    /"pid" is not one of its/,
  ],
  [
    'a database that is not there',
    ['--param', 'index=public.x', '--param', 'database=nope'],
    1,
    /"nope" does not exist/,
  ],
])('says what is wrong with %s', async (_, words, exit, says) => {
  const { code, err } = await plan('reindex-index-concurrently', ...words);
  expect(err).toMatch(says);
  expect(code).toBe(exit);
});

it('says that nothing may be run where the class has no login', async () => {
  const { code, err } = await plan('terminate-session', '--param', 'pid=1');
  expect(err).toMatch(/shop is observe-only for runbooks of class signal\n.*nodes\[\]\.actions\.signal/);
  expect(code).toBe(2);
});
