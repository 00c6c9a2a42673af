import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Reader } from '../../src/targets/reader.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { type ProxyOptions, startProxy } from '../support/proxy.ts';
import { createDatabase, type Database, newest, ownServer } from '../support/servers.ts';
import { until } from '../support/wait.ts';

let database: Database;
beforeAll(async () => {
  database = await createDatabase(newest);
});
failOnLeaks(() => database);

const left: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of left.splice(0)) await one.close();
});

function open(url: string): Reader {
  const reader = new Reader({ name: 'db1', url });
  left.unshift(reader);
  return reader;
}

async function through(options?: ProxyOptions) {
  const proxy = await startProxy({ host: '127.0.0.1', port: database.server.port }, options);
  left.push(proxy);
  return { proxy, url: `postgres://monitor@127.0.0.1:${proxy.port}/${database.name}?connect_timeout=1` };
}

const terminate = (pid: number) => database.run('select pg_terminate_backend($1)', [pid]);

/** Waits until the server process has gone, or is at the statement. */
const awaitBackend = (pid: number, state: string | null) =>
  until(`pid ${pid} to be ${state ?? 'gone'}`, async () => {
    const { rows } = await database.run('select state from pg_stat_activity where pid = $1', [pid]);
    return (rows[0]?.state ?? null) === state;
  });

describe('a reader whose connection is lost', () => {
  it('while idle opens another one for the next question', async () => {
    const reader = open(database.url('monitor'));
    const { pid } = await reader.probe();
    await terminate(pid);
    await until('the loss to be seen', () => reader.pids().length === 0);
    expect((await reader.probe()).pid).not.toBe(pid);
  });

  it('under a question rejects it, and answers the next one', async () => {
    const reader = open(database.url('monitor'));
    const { pid } = await reader.probe();
    const asked = reader.ask('select pg_sleep(9)', [], { statementTimeoutMs: 9000 }).catch((error: unknown) => error);
    await awaitBackend(pid, 'active');
    await terminate(pid);
    expect(await asked).toMatchObject({ code: 'target-unreachable', hint: expect.stringContaining('administrator') });
    expect((await reader.probe()).pid).not.toBe(pid);
  });

  it('by a reset rejects too, and a cancelled statement is no timeout', async () => {
    const { proxy, url } = await through();
    const reader = open(url);
    const { pid } = await reader.probe();
    const cancelled = reader
      .ask('select pg_sleep(9)', [], { statementTimeoutMs: 9000 })
      .catch((error: unknown) => error);
    await awaitBackend(pid, 'active');
    await database.run('select pg_cancel_backend($1)', [pid]);
    expect(await cancelled).toMatchObject({ code: 'query-failed', hint: expect.stringContaining('cancelled') });
    const cut = reader.ask('select pg_sleep(1)').catch((error: unknown) => error);
    await awaitBackend(pid, 'active');
    proxy.cut();
    expect(await cut).toMatchObject({ code: 'target-unreachable' });
    expect((await reader.probe()).role).toBe('monitor');
  });

  it('because nothing comes any more gives up two seconds after the statement timeout', async () => {
    const { proxy, url } = await through();
    const reader = open(url);
    await reader.probe();
    proxy.mode('stall');
    const startedAt = performance.now();
    await expect(reader.ask('select 1', [], { statementTimeoutMs: 100 })).rejects.toMatchObject({
      code: 'query-timeout',
      message: expect.stringContaining('did not answer within 0.1 s and 2 s more'),
    });
    expect(performance.now() - startedAt).toBeLessThan(4000);
    await expect(reader.probe()).rejects.toMatchObject({ code: 'target-unreachable' });
    proxy.mode('pass');
    expect((await reader.probe()).role).toBe('monitor');
  });

  it('and is not let in again says so each time', async () => {
    const { proxy, url } = await through();
    const reader = open(url);
    proxy.mode('reset');
    for (let tries = 0; tries < 3; tries += 1)
      await expect(reader.probe()).rejects.toMatchObject({ code: 'target-unreachable' });
    proxy.mode('pass');
    expect((await reader.probe()).role).toBe('monitor');
  });

  it('with the whole server, explains each stage and comes back with it', async () => {
    const server = await ownServer(newest);
    const reader = open(server.url('postgres', 'monitor'));
    try {
      await reader.probe();
      await server.stop();
      await until('the loss to be seen', () => reader.pids().length === 0);
      await expect(reader.probe()).rejects.toMatchObject({ code: 'target-unreachable' });
      await server.run();
      expect((await until('the server', () => reader.probe())).role).toBe('monitor');
    } finally {
      await reader.close();
      await server.remove();
    }
  });
});

describe('a reader', () => {
  it('asks one question at a time, in the order of asking', async () => {
    const reader = open(database.url('monitor'));
    const done: number[] = [];
    const asked = [0.2, 0.1, 0].map(async (seconds, at) => {
      const rows = await reader.ask('select pg_backend_pid() as pid, pg_sleep($1)', [seconds]);
      done.push(at);
      return rows[0]?.['pid'];
    });
    expect(new Set(await Promise.all(asked)).size).toBe(1);
    expect(done).toEqual([0, 1, 2]);
  });

  it('gives no rows at all where there are too many, and reads on afterwards', async () => {
    const reader = open(database.url('monitor'));
    const rows = 'select generate_series(1, $1::int) as n';
    expect(await reader.ask(rows, [10_000])).toHaveLength(10_000);
    await expect(reader.ask(rows, [3_000_000])).rejects.toMatchObject({
      code: 'query-failed',
      message: expect.stringContaining('more than 10000 rows'),
    });
    expect(await reader.ask(rows, [5], { maxRows: 5 })).toHaveLength(5);
    await expect(reader.ask(rows, [6], { maxRows: 5 })).rejects.toMatchObject({ code: 'query-failed' });
  });

  it('that is closed ends at once, rejects who waits, and stays closed', async () => {
    const reader = open(database.url('monitor'));
    await reader.probe();
    const waiting = [1, 2].map(() => reader.ask('select pg_sleep(0.9)').catch((error: unknown) => error));
    await awaitBackend(reader.pids()[0] ?? 0, 'active');
    const startedAt = performance.now();
    await reader.close();
    expect(performance.now() - startedAt).toBeLessThan(500);
    for (const one of [...waiting, reader.probe().catch((error: unknown) => error)])
      expect(await one).toMatchObject({ code: 'target-unreachable', message: expect.stringContaining('stopping') });
    await reader.close();
  });

  it('that was never asked, or whose server has gone silent, closes as well', async () => {
    await open(database.url('monitor')).close();
    const { proxy, url } = await through();
    const silent = open(url);
    await silent.probe();
    proxy.mode('stall');
    const startedAt = performance.now();
    await silent.close();
    expect(performance.now() - startedAt).toBeLessThan(1500);
  });

  it('writes nothing by itself and leaks no listener, however often it is asked', async () => {
    const warnings: string[] = [];
    const note = (warning: Error) => warnings.push(warning.message);
    process.on('warning', note);
    const reader = open(database.url('monitor'));
    for (let times = 0; times < 50; times += 1) await reader.probe();
    await reader.ask('select \'a\' as "query", pg_sleep(0)');
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });
});

it('a server that calls itself PostgreSQL 11 is refused', async () => {
  const { url } = await through({
    rewrite: (chunk) => Buffer.from(chunk.toString('latin1').replace(/(server_version\0)\d\d\.\d/, '$111.9'), 'latin1'),
  });
  await expect(open(url).probe()).rejects.toMatchObject({
    code: 'server-unsupported',
    message: expect.stringMatching(/found PostgreSQL 11\.9\d*, expected 12 or newer$/),
  });
});
