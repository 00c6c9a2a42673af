import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { appendAudit, hashEntry } from '../../src/state/audit.ts';
import { StateDatabase, transaction } from '../../src/state/database.ts';
import { env, minimal } from '../config/sample.ts';
import { pgorderly } from '../support/command.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { until } from '../support/wait.ts';

let database: Database;
const verify = (...words: string[]) => pgorderly(['audit', 'verify', '--state-url', database.url(), ...words]);

beforeAll(async () => {
  database = await createDatabase(newest);
  const state = new StateDatabase(database.url(), createLog('silent'));
  await state.start();
  for (let run = 1; run <= 5; run++)
    await transaction(state.pool, (db) =>
      appendAudit(db, { kind: 'run.sent', actor: 'pgorderly', target: 'shop', run, detail: { plan: 'abc' } }),
    );
  await state.close();
});

/** Verifiers that wait for a lock. */
async function waiting(): Promise<number> {
  const { rows } = await database.run(
    `select count(*)::int as count from pg_stat_activity
      where datname = current_database() and application_name = 'pgorderly/state' and wait_event_type = 'Lock'`,
  );
  return rows[0].count;
}

/** Spoils the audit as somebody with the superuser's password would, looks, and puts it back. */
async function spoiled(sql: string, ...words: string[]) {
  await database.run('create table pgorderly.kept as table pgorderly.audit');
  await database.run('create table pgorderly.kept_head as table pgorderly.audit_head');
  await database.run(sql);
  const ran = await verify(...words);
  await database.run('truncate pgorderly.audit, pgorderly.audit_head');
  await database.run('insert into pgorderly.audit table pgorderly.kept');
  await database.run('insert into pgorderly.audit_head table pgorderly.kept_head');
  await database.run('drop table pgorderly.kept, pgorderly.kept_head');
  return ran;
}

describe('pgorderly audit verify', () => {
  it('says how many entries hold together, with the head', async () => {
    expect(await verify()).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^5 entries, unbroken; head 5:[0-9a-f]{64}\n$/),
    });
  });

  it.each([
    ['changed', "update pgorderly.audit set entry = replace(entry, 'shop', 'shed') where seq = 3", 'broken at entry 3'],
    ['removed', 'delete from pgorderly.audit where seq = 2', 'broken at entry 2: it is missing'],
    [
      'reordered',
      `update pgorderly.audit a set entry = b.entry, hash = b.hash from pgorderly.audit b
         where (a.seq, b.seq) in ((3, 4), (4, 3))`,
      'broken at entry 3',
    ],
    ['cut off', 'delete from pgorderly.audit where seq = 5', 'the head says 5 entries, 4 are there'],
    ['cut off with its head', 'delete from pgorderly.audit; delete from pgorderly.audit_head', 'no head row'],
  ])('finds an entry that was %s', async (_, sql, says) => {
    const ran = await spoiled(sql);
    expect(ran.code).toBe(1);
    expect(ran.out + ran.err).toContain(says);
  });

  it('finds an end that was cut off together with its head, by a head noted elsewhere', async () => {
    const head = /head (\S+)/.exec((await verify()).out)?.[1] ?? '';
    const cut = `delete from pgorderly.audit where seq = 5;
      update pgorderly.audit_head set seq = 4, hash = (select hash from pgorderly.audit where seq = 4)`;
    expect((await spoiled(cut)).code).toBe(0);
    expect(await spoiled(cut, '--head', head)).toMatchObject({
      code: 1,
      out: expect.stringContaining('5 entries were there once, 4 are left'),
    });
  });

  it('does not take an entry that comes meanwhile for one too many', async () => {
    const bot = await database.client();
    await bot.query('begin; lock table pgorderly.audit_head');
    const verified = verify();
    await until('verify to wait for the head', async () => (await waiting()) === 1);
    await bot.query('set search_path = pgorderly');
    await appendAudit(bot, { kind: 'run.sent', actor: 'pgorderly', target: 'shop', run: 6, detail: {} });
    await bot.query('commit');
    expect(await verified).toMatchObject({ code: 0, out: expect.stringContaining('5 entries, unbroken') });
    await database.run('delete from pgorderly.audit where seq = 6');
    await database.run(
      'update pgorderly.audit_head set seq = 5, hash = (select hash from pgorderly.audit where seq = 5)',
    );
  });

  it('changes nothing in a database that was named by mistake, and does not call it unbroken', async () => {
    const other = await createDatabase(newest);
    const ran = await pgorderly(['audit', 'verify', '--state-url', other.url()]);
    expect(ran).toMatchObject({ code: 1, out: '', err: expect.stringContaining('this database holds no audit') });
    const { rows } = await other.run("select 1 from pg_namespace where nspname = 'pgorderly'");
    expect(rows).toEqual([]);
  });

  it('reads the state database of a configuration', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pgorderly-audit-'));
    const file = join(folder, 'pgorderly.yaml');
    writeFileSync(file, minimal.replace(/url: .*pgorderly$/m, `url: ${database.url()}`));
    const ran = await pgorderly(['audit', 'verify', '--config', file], env);
    rmSync(folder, { recursive: true });
    expect(ran).toMatchObject({ code: 0, out: expect.stringContaining('5 entries') });
  });

  it('says what a login lacks that may not read it', async () => {
    const ran = await pgorderly(['audit', 'verify', '--state-url', database.url('plain')]);
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err).toContain('may its login use the schema pgorderly?');
  });

  it('exits with 2 for a head that is none, and 1 for a database that is not there', async () => {
    expect((await verify('--head', 'x')).code).toBe(2);
    const ran = await pgorderly(['audit', 'verify', '--state-url', 'postgres://a:geheim@127.0.0.1:1/x']);
    expect(ran.code).toBe(1);
    expect(ran.err).not.toContain('geheim');
  });
});

describe('pgorderly audit export', () => {
  it('writes one JSON line an entry, from which the chain can be checked again', async () => {
    const { out } = await pgorderly(['audit', 'export', '--format', 'jsonl', '--state-url', database.url()]);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map((line) => line.seq)).toEqual([1, 2, 3, 4, 5]);
    expect(lines[1].previousHash).toBe(lines[0].hash);
    expect(hashEntry(lines[4].previousHash, lines[4].entry)).toBe(lines[4].hash);
    expect(lines[4]).toMatchObject({ kind: 'run.sent', actor: 'pgorderly', target: 'shop', run: 5 });
  });

  it('also writes a text that was tampered with', async () => {
    await database.run("update pgorderly.audit set entry = 'no JSON' where seq = 5");
    const { code, out } = await pgorderly(['audit', 'export', '--state-url', database.url()]);
    expect(code).toBe(0);
    expect(JSON.parse(out.trim().split('\n')[4] ?? '')).toMatchObject({ seq: 5, entry: 'no JSON' });
  });
});
