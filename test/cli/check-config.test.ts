import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckDocument } from '../../src/cli/check.ts';
import { env, minimal } from '../config/sample.ts';
import { pgorderly } from '../support/command.ts';
import { makeRowLockStorm } from '../support/illness.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';

describe('pgorderly check on a target of a configuration', () => {
  let database: Database;
  let file: string;
  const folder = mkdtempSync(join(tmpdir(), 'pgorderly-check-'));
  beforeAll(async () => {
    database = await createDatabase(newest);
    file = join(folder, 'pgorderly.yaml');
    writeFileSync(file, configOf(database.url('monitor'), database.server.url('postgres', 'monitor')));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  failOnLeaks(() => database);

  const check = (...words: string[]) => pgorderly(['check', ...words, '--config', file], env);

  it('looks at all of its nodes: one that does not answer leaves the sweep incomplete, with its reason', async () => {
    const ran = await check('all', '--json', '--target', 'pair');
    const { target, jobs } = JSON.parse(ran.out) as CheckDocument;
    expect(ran.code).toBe(3);
    expect(target).toBe('pair');
    expect(jobs.map(({ job, status }) => [job, status])).toEqual([['lock-chains', 'error']]);
    expect(jobs[0]?.reason).toMatch(/refused the connection/);
    expect(ran.out + ran.err).not.toContain(env.MON);
  });

  it('tells of the node that does not answer also beside findings, and heeds the thresholds of the file', async () => {
    const storm = await makeRowLockStorm(database);
    const found = await check('lock-chains', '--target', 'pair');
    const typed = await check('lock-chains', '--target', 'pair', '--threshold', 'lock-chains.minWaitSeconds=600');
    await storm.end();
    expect(found.code).toBe(1);
    expect(found.out).toContain('warning 2 sessions wait behind one idle transaction');
    expect(found.out).toMatch(/✗ not looked at: .*refused the connection/);
    expect(found.out).toMatch(/1 not fully judged\n$/);
    expect(typed.code).toBe(3);
  });

  it('offers no fix for a session that the file protects', async () => {
    const storm = await makeRowLockStorm(database);
    const { out } = await check('lock-chains', '--json', '--target', 'kept');
    await storm.end();
    const [finding] = (JSON.parse(out) as CheckDocument).jobs[0]?.findings ?? [];
    expect(finding?.subject).toMatchObject({ pid: storm.rootPid });
    expect(finding?.runbooks).toEqual([]);
  });

  it('leaves out a job that the file disables, unless it is named', async () => {
    const named = JSON.parse((await check('long-transactions', '--json', '--target', 'kept')).out) as CheckDocument;
    expect(named.jobs.map(({ job }) => job)).toEqual(['long-transactions']);
  });

  it('exits with 3 and names the targets for one that is not there, or for none', async () => {
    const unknown = await check('all', '--target', 'pairs');
    expect(unknown).toMatchObject({ code: 3, out: '' });
    expect(unknown.err).toMatch(/has no target pairs\n {2}Did you mean pair\? There are: pair, kept\./);
    const none = await check('all');
    expect(none).toMatchObject({ code: 3, out: '' });
    expect(none.err).toContain('--config needs --target');
  });

  it('exits with 3 and says where a file is wrong', async () => {
    const wrong = join(folder, 'wrong.yaml');
    writeFileSync(wrong, configOf('mysql://x', database.url()));
    const ran = await pgorderly(['check', 'all', '--config', wrong, '--target', 'pair'], env);
    expect(ran).toMatchObject({ code: 3, out: '' });
    expect(ran.err).toMatch(/wrong\.yaml:\d+:\d+: /);
  });
});

/** Two targets: one of two nodes, of which the second is not there, and one with a protected login. */
function configOf(url: string, other: string): string {
  const [head] = minimal.split('targets:');
  return `${head}targets:
  - name: pair
    channel: C0123456789
    nodes:
      - url: ${url}
      - url: postgres://monitor:\${MON}@127.0.0.1:1/orders
  - name: kept
    channel: C0123456789
    protect: [app]
    nodes:
      - url: ${other}
jobs:
  lock-chains:
    thresholds: { minWaitSeconds: 0 }
  long-transactions: { enabled: false }
  invalid-indexes: { enabled: false }
  duplicate-indexes: { enabled: false }
  table-bloat: { enabled: false }
  index-bloat: { enabled: false }
`;
}
