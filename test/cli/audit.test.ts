import { beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { appendAudit } from '../../src/state/audit.ts';
import { StateDatabase, transaction } from '../../src/state/database.ts';
import { pgorderly } from '../support/command.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';

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
    ['removed', 'delete from pgorderly.audit where seq = 2', 'entry 2 is missing'],
    [
      'reordered',
      `update pgorderly.audit a set entry = b.entry, hash = b.hash from pgorderly.audit b
         where (a.seq, b.seq) in ((3, 4), (4, 3))`,
      'broken at entry 3',
    ],
    ['cut off', 'delete from pgorderly.audit where seq = 5', 'the head says 5 entries, 4 are there'],
  ])('finds an entry that was %s', async (_, sql, says) => {
    const ran = await spoiled(sql);
    expect(ran.code).toBe(1);
    expect(ran.out).toContain(says);
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
    expect(lines[4]).toMatchObject({ kind: 'run.sent', actor: 'pgorderly', target: 'shop', run: 5 });
  });
});
