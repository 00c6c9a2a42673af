import type pg from 'pg';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { failOnLeaks } from '../support/leaks.ts';
import { openRemedy, planOf, type Remedy } from '../support/remedy.ts';
import { createDatabase, type Database, majors, newest } from '../support/servers.ts';
import { until } from '../support/wait.ts';

const hostile = [
  "'",
  "''; select pg_terminate_backend(pid) from pg_stat_activity; --",
  '"',
  '";drop table orders;--',
  '\\',
  "\\'; rollback; --",
  '\\x00',
  '\\gexec',
  '$$',
  '$a$ $b$',
  '$1',
  "${1 + 1}",
  '%s%n',
  '%I',
  ":'pid'",
  ':"pid"',
  ':pid',
  '--',
  '/*',
  '*/',
  ';',
  '\n',
  '\r\n\t',
  ' ',
  'null',
  'NULL',
  'undefined',
  'true',
  '0',
  '-1',
  '[object Object]',
  '__proto__',
  'constructor',
  '<!channel>',
  '<@U0MIRA>',
  '*bold* _it_ ~no~ `code`',
  '```',
  '&amp;&lt;',
  '{"pid": 1}',
  '../../etc/passwd',
  'Ünïcödé ✓ 漢字',
  '‮override',
  '👩‍💻',
  'é',
  '<insufficient privilege>',
  'pgorderly/detect',
  'pgorderly/run/1',
  'pgorderly',
  'x'.repeat(63),
  '漢'.repeat(21),
];

describe.each(majors)('what identifies a session on PostgreSQL %i', (major) => {
  let database: Database;
  let state: Database;
  let names = 0;
  const open: { close(): Promise<unknown> }[] = [];
  const made: string[] = [];

  beforeAll(async () => {
    [database, state] = [await createDatabase(major), await createDatabase(newest)];
  });
  failOnLeaks(() => database);
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
    for (const role of made.splice(0)) await database.run(`drop role ${role}`);
  });

  async function remedyOf(actor = 'actor'): Promise<Remedy> {
    const urls = { stateUrl: state.url(), monitorUrl: database.url('monitor'), signalUrl: database.url(actor) };
    const remedy = await openRemedy({ ...urls, targets: [`named-${major}-${++names}`] });
    open.push(remedy);
    return remedy;
  }

  async function idleInTransaction(user: string, application: string): Promise<pg.Client> {
    const client = await database.client(user, application);
    open.push({ close: () => client.end() });
    await client.query('begin; select 1');
    return client;
  }

  async function makeRole(name: string): Promise<void> {
    const { rows } = await database.run('select quote_ident($1) as role', [name]);
    await database.run(`create role ${rows[0].role} login`);
    made.push(rows[0].role);
  }

  it.each(hostile)('ends the one session that was meant, and not its neighbour, both named %j', async (name) => {
    await makeRole(name);
    const [client, neighbour] = [await idleInTransaction('app', name), await idleInTransaction(name, name)];
    const remedy = await remedyOf();
    for (const [victim, other] of [
      [client, neighbour],
      [neighbour, null],
    ] as const) {
      const [run] = await remedy.propose('long-transactions', pidOf(victim));
      if (!run) throw new Error('nothing was proposed');
      const gone = new Promise<string>((resolve) => victim.once('end', () => resolve('gone')));
      expect(await remedy.carryOut(run)).toMatchObject({ runbook: 'terminate-session', state: 'succeeded' });
      expect(await gone).toBe('gone');
      if (other) expect((await other.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    }
  });
});

function pidOf(client: object): number {
  return (client as { processID: number }).processID;
}
