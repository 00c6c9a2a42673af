import pg from 'pg';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { paramsOf, pidOf } from '../runbooks/ward.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { openRemedy, type Remedy } from '../support/remedy.ts';
import { createDatabase, type Database, majors, newest, sampled, server, standby } from '../support/servers.ts';

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
  '${1 + 1}',
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

let database: Database;
let state: Database;
let names = 0;
const open: { close(): Promise<unknown> }[] = [];

/** Closes what a test opened, and fails it for what it left; `database` is made on that major. */
function useServers(major: number): void {
  beforeAll(async () => {
    [database, state] = [await createDatabase(major), await createDatabase(newest)];
  });
  failOnLeaks(() => database);
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });
}

async function remedyWith(signalUrl: string, monitorUrl = database.url('monitor')): Promise<Remedy> {
  const remedy = await openRemedy({ stateUrl: state.url(), monitorUrl, signalUrl, targets: [`named-${++names}`] });
  open.push(remedy);
  return remedy;
}

async function idleInTransaction(user: string, application = 'test'): Promise<pg.Client> {
  const client = await database.client(encodeURIComponent(user), application);
  open.push({ close: () => client.end() });
  await client.query('begin; select 1');
  return client;
}

async function makeRole(name: string, grants = ''): Promise<void> {
  const { rows } = await database.run('select quote_ident($1) as role', [name]);
  await database.run(`create role ${rows[0].role} login ${grants}`);
  open.push({ close: () => database.run(`drop role ${rows[0].role}`) });
}

/** Proposed by the job, approved, carried out: that session ends. */
async function endByFinding(remedy: Remedy, victim: pg.Client): Promise<void> {
  const [run] = await remedy.propose('long-transactions', pidOf(victim));
  if (!run) throw new Error('nothing was proposed');
  const gone = new Promise<string>((resolve) => victim.once('end', () => resolve('gone')));
  expect(await remedy.carryOut(run)).toMatchObject({ runbook: 'terminate-session', state: 'succeeded' });
  expect(await gone).toBe('gone');
}

// Since 16, what isn't ASCII in an application_name is kept as \xe6…; before, it was a question mark.
describe.each([...new Set([Math.min(...majors), newest])])('whatever it is called on PostgreSQL %i', (major) => {
  useServers(major);

  it.each(hostile)('the session that was meant ends, and its neighbour of the same name does not: %j', async (name) => {
    await makeRole(name);
    const [victim, neighbour] = [await idleInTransaction(name, name), await idleInTransaction(name, name)];
    const remedy = await remedyWith(database.url('actor'));
    await endByFinding(remedy, victim);
    expect((await neighbour.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });
});

describe.each(sampled)('a session is told apart to the microsecond on PostgreSQL %i', (major) => {
  useServers(major);

  const settings = [
    ["datestyle = 'SQL, DMY'", "timezone = 'Asia/Kathmandu'", 'extra_float_digits = -15'],
    ["datestyle = 'German'", "timezone = '<-13:37>+13:37'", 'extra_float_digits = 3'],
    ["datestyle = 'Postgres, MDY'", "intervalstyle = 'sql_standard'", "lc_numeric = 'C'"],
    ['standard_conforming_strings = off', 'backslash_quote = on', "bytea_output = 'escape'"],
    ['default_transaction_read_only = on', "default_transaction_isolation = 'serializable'"],
    ["search_path = 'app, public'", 'statement_timeout = 200', 'lock_timeout = 1'],
  ];

  it.each(settings)('whatever the logins have as defaults: %s, %s', async (...defaults) => {
    const [watcher, doer] = [`watcher_${major}`, `doer "${major}"`];
    await makeRole(watcher, 'in role pg_monitor');
    await makeRole(doer, 'in role pg_signal_backend, pg_read_all_stats');
    for (const role of [watcher, `"doer ""${major}"""`])
      for (const setting of defaults.filter(Boolean)) await database.run(`alter role ${role} set ${setting}`);
    const victim = await idleInTransaction('app');
    const remedy = await remedyWith(database.url(encodeURIComponent(doer)), database.url(watcher));
    await endByFinding(remedy, victim);
  });

  it.each(['backend_start', 'xact_start'])('and one microsecond off in %s is another one', async (name) => {
    const victim = await idleInTransaction('app');
    const remedy = await remedyWith(database.url('actor'));
    const params = await paramsOf(database, 'terminate-session', pidOf(victim));
    const run = await remedy.ask('terminate-session', { ...params, [name]: String(BigInt(params[name] ?? '') + 1n) });
    expect(await remedy.carryOut(run)).toMatchObject({ state: 'refused', sentAt: null });
    expect((await victim.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });
});

describe.each(sampled)('a server is told apart on PostgreSQL %i', (major) => {
  useServers(major);

  it('from itself before it was promoted, and is acted on at once after that', async () => {
    const replica = await standby(major);
    const victim = new pg.Client({ connectionString: replica.url('postgres', 'app'), application_name: 'test' });
    const client = new pg.Client({ connectionString: replica.url(), application_name: 'test' });
    for (const one of [victim, client]) {
      // The victim's end is on purpose.
      one.on('error', () => {});
      await one.connect();
      open.push({ close: () => one.end() });
    }
    await victim.query('begin; select 1');
    const remedy = await remedyWith(replica.url('postgres', 'actor'), replica.url('postgres', 'monitor'));
    const before = await remedy.ask('terminate-session', { pid: String(pidOf(victim)) });
    await client.query('select pg_promote()');
    const refused = await remedy.carryOut(before);
    expect(refused).toMatchObject({ state: 'refused', outcome: expect.stringMatching(/failed over since the plan/) });
    await endByFinding(remedy, victim);
  });

  it.runIf(majors.length > 1)('from another cluster that answers at its address', async () => {
    const victim = await idleInTransaction('app');
    const other = await server(majors.find((one) => one !== major) ?? major);
    const remedy = await remedyWith(other.url('postgres', 'actor'));
    const run = await remedy.carryOut(await remedy.ask('terminate-session', { pid: String(pidOf(victim)) }));
    expect(run).toMatchObject({ state: 'refused', outcome: expect.stringMatching(/^this is another cluster/) });
    expect((await victim.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });
});
