import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CheckDocument } from '../../src/cli/check.ts';
import { pgorderly, program } from '../support/command.ts';
import { makeRowLockStorm } from '../support/illness.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { startProxy } from '../support/proxy.ts';
import { createDatabase, type Database, majors, newest } from '../support/servers.ts';
import { withoutChatAndQueue } from './preload.ts';

describe.each(majors)('pgorderly check on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  failOnLeaks(() => database);

  const check = (words: string[], user = 'monitor') => pgorderly(['check', ...words, '--url', database.url(user)]);

  it('says ok and exits with 0 where nothing is wrong', async () => {
    const ran = await check(['all']);
    expect(ran).toMatchObject({ code: 0, err: '' });
    expect(ran.out).toContain('✓ lock-chains ok');
  });

  it('prints one document whose findings exit with 1, or with 2 when critical', async () => {
    const storm = await makeRowLockStorm(database, 3);
    const everything = ['--threshold', 'lock-chains.minWaitSeconds=0'];
    const warning = await check(['lock-chains', '--json', ...everything]);
    const critical = await check(['lock-chains', ...everything, '--threshold', 'lock-chains.criticalVictims=3']);
    await storm.end();
    const document = JSON.parse(warning.out) as CheckDocument;
    expect(Math.floor(document.serverVersion / 10_000)).toBe(major);
    expect(document.startedAt).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(document.jobs).toHaveLength(1);
    expect(document.jobs[0]).toMatchObject({ job: 'lock-chains', status: 'findings', reason: null, unjudged: [] });
    const finding = document.jobs[0]?.findings[0];
    expect(finding?.subject).toMatchObject({ kind: 'backend', pid: storm.rootPid });
    expect(finding?.facts).toMatchObject({ victimCount: 3 });
    expect(finding?.runbooks[0]?.name).toBe('terminate-session');
    expect(warning.code).toBe(1);
    expect(critical.code).toBe(2);
    expect(critical.out).toContain('critical 3 sessions wait behind one idle transaction');
  });

  it('looks into the one database of the URL, and into each with --all-databases', async () => {
    const other = await createDatabase(major);
    await other.run('create table things as select 1 as id from generate_series(1, 2)');
    const failed = other.run('create unique index concurrently broken on things (id)');
    await expect(failed).rejects.toMatchObject({ code: '23505' });
    expect(await check(['invalid-indexes'])).toMatchObject({ code: 0 });
    const deep = await check(['invalid-indexes', '--all-databases', '--json']);
    expect(deep.code).toBe(1);
    const { jobs } = JSON.parse(deep.out) as CheckDocument;
    expect(jobs[0]?.findings).toMatchObject([{ database: other.name, subject: { kind: 'index', name: 'broken' } }]);
  });

  if (major === newest)
    it('gives all of a long answer to a reader that takes its time', async () => {
      await database.run('create table repeated (id integer)');
      await database.run(`do $$ begin for n in 1..400 loop
        execute format('create index a_name_that_takes_some_room_%s on repeated (id)', n);
      end loop; end $$`);
      const words = ['check', 'duplicate-indexes', '--json', '--threshold', 'duplicate-indexes.minBytes=0'];
      const command = [process.execPath, program, ...words, '--url', database.url('monitor')];
      const shell = ['-c', '"$@" | { sleep 2; cat; }', 'sh', ...command];
      const { stdout } = spawnSync('/bin/sh', shell, { encoding: 'utf8', maxBuffer: 2 ** 24 });
      await database.run('drop table repeated');
      expect(stdout.length).toBeGreaterThan(2 ** 18);
      expect((JSON.parse(stdout) as CheckDocument).jobs[0]?.findings).toHaveLength(399);
    });

  it('never says ok when the login is blind, and names the grant', async () => {
    const ran = await check(['all', '--json'], 'plain');
    const { jobs } = JSON.parse(ran.out) as CheckDocument;
    expect(ran.code).toBe(3);
    const statuses = Object.fromEntries(jobs.map(({ job, status }) => [job, status]));
    expect(statuses).toMatchObject({ 'lock-chains': 'cannot-judge', 'long-transactions': 'cannot-judge' });
    expect(jobs[0]?.unjudged[0]?.remedy).toContain('grant pg_monitor to "plain"');
  });
});

describe('pgorderly check, used wrongly or on the wrong server', () => {
  let database: Database;
  let cleanUp: (() => unknown)[] = [];
  beforeAll(async () => {
    database = await createDatabase(newest);
  });
  afterEach(async () => {
    for (const clean of cleanUp) await clean();
    cleanUp = [];
  });

  it.each([
    ['an unknown job', ['lock-chain'], 'Did you mean lock-chains?'],
    ['an unknown threshold', ['all', '--threshold', 'lock-chains.minWaitSecond=1'], 'Did you mean minWaitSeconds?'],
    ['a threshold that is no number', ['all', '--threshold', 'lock-chains.minWaitSeconds=x'], 'is not <job>.<name>'],
    ['an unknown option', ['all', '--jsno'], 'Did you mean --json?'],
    ['no job', [], "missing required argument 'job'"],
    ['several hosts', ['all', '--url', 'postgres://a@h1,h2/x'], 'names several hosts'],
    ['a URL of something else', ['all', '--url', 'mysql://a@h/x'], 'postgres://'],
    ['no server at all', ['all'], 'no server was named'],
    ['a blank threshold', ['all', '--threshold', 'lock-chains.minWaitSeconds= '], 'is not <job>.<name>'],
    ['a target without a file', ['all', '--target', 'x'], '--target needs --config'],
    ['a server and a file', ['all', '--config', 'x.yaml', '--url', 'postgres://a@h/x'], '--config excludes --url'],
    ['a file that is not there', ['all', '--config', '/nonexistent.yaml'], 'does not exist'],
  ])('exits with 3 and says what is right for %s', async (_, words, says) => {
    const ran = await pgorderly([
      'check',
      ...words,
      ...(words.includes('--url') || words.includes('--config') || says === 'no server was named'
        ? []
        : ['--url', 'postgres://a@127.0.0.1:1/x']),
    ]);
    expect(ran).toMatchObject({ code: 3, out: '' });
    expect(ran.err).toContain(says);
  });

  it('exits with 3 for a server that is not there, with no secret in what it says', async () => {
    const ran = await pgorderly(['check', 'all', '--json', '--url', 'postgres://a:geheim@127.0.0.1:1/x']);
    expect(ran).toMatchObject({ code: 3, out: '' });
    expect(ran.err).toMatch(/a@127\.0\.0\.1:1\/x.*refused the connection/);
    expect(ran.err).not.toContain('geheim');
  });

  it('exits with 3 for a wrong password, and reads the right one from PGPASSWORD', async () => {
    await database.run(`grant connect on database ${database.name} to locked`);
    const url = database.server.tcpUrl(database.name, 'locked');
    const wrong = await pgorderly(['check', 'all', '--url', url], { PGPASSWORD: 'wrong-geheim' });
    const right = await pgorderly(['check', 'all', '--url', url], { PGPASSWORD: 'right' });
    expect(wrong.code).toBe(3);
    expect(wrong.err).toMatch(/password/);
    expect(wrong.err).not.toContain('geheim');
    expect(right.out).toContain('○ lock-chains cannot-judge');
  });

  it('exits with 3 for PostgreSQL 11', async () => {
    const version = (await database.run('show server_version')).rows[0].server_version as string;
    const [found, old] = [Buffer.from(version), Buffer.from(`11.${'9'.repeat(version.length - 3)}`)];
    const path = `${database.server.host}/.s.PGSQL.${database.server.port}`;
    const proxy = await startProxy({ path }, { rewrite: (chunk) => replaceAll(chunk, found, old) });
    cleanUp.push(() => proxy.close());
    const ran = await pgorderly([
      'check',
      'all',
      '--url',
      `postgres://monitor@127.0.0.1:${proxy.port}/${database.name}`,
    ]);
    expect(ran).toMatchObject({ code: 3, out: '' });
    expect(ran.err).toMatch(/PostgreSQL 11/);
  });

  it('exits with 3 for something that is not PostgreSQL', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUp.push(() => server.close());
    const { port } = server.address() as { port: number };
    const ran = await pgorderly(['check', 'all', '--url', `postgres://a@127.0.0.1:${port}/x`]);
    expect(ran).toMatchObject({ code: 3, out: '' });
    expect(ran.err.split('\n').length).toBeLessThan(5);
  });

  it('looks into a whole sweep without the libraries of Slack and of the queue', async () => {
    const ran = await pgorderly(['check', 'all', '--url', database.url('monitor')], withoutChatAndQueue);
    expect(ran).toMatchObject({ code: 0, err: '' });
  });

  it('takes the server from PGHOST and its like, and names it', async () => {
    const { host, port } = database.server;
    const named = { PGHOST: host, PGPORT: String(port), PGUSER: 'monitor', PGDATABASE: database.name };
    const { code, out } = await pgorderly(['check', 'all'], named);
    expect(code).toBe(0);
    expect(out).toContain(`monitor@${host}:${port}/${database.name} · PostgreSQL `);
  });

  it('ends at once by Ctrl-C, silently, while a server does not answer', async () => {
    const silent = createServer((socket) => socket.on('error', () => socket.destroy()));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    cleanUp.push(() => silent.close());
    const { port } = silent.address() as { port: number };
    const connected = new Promise((resolve) => silent.once('connection', resolve));
    const url = `postgres://a@127.0.0.1:${port}/x`;
    const child = spawn(process.execPath, [program, 'check', 'all', '--url', url], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
    await connected;
    child.kill('SIGINT');
    expect(await new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)))).toBe('SIGINT');
    expect(said).toBe('');
  });
});

function replaceAll(chunk: Buffer, found: Buffer, by: Buffer): Buffer {
  return Buffer.from(chunk.toString('latin1').replaceAll(found.toString('latin1'), by.toString('latin1')), 'latin1');
}
