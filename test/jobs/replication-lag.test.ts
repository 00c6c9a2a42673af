import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { replicationLag } from '../../jobs/replication-lag.ts';
import type { Server } from '../../src/demo/server.ts';
import { type Database, majors, openDatabase, ownServer, standbyOf } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkNodes, Looks } from './check-nodes.ts';

const never = 1e15;
/** Only this counts. */
const only = (thresholds: Record<string, number>) => ({
  minBytes: never,
  minSeconds: never,
  criticalBytes: never,
  criticalSeconds: never,
  missingSeconds: never,
  ...thresholds,
});
const oneMegabyte = only({ minBytes: 1_048_576 });

describe.each(majors)('replication-lag on PostgreSQL %i', { timeout: 60_000 }, (major) => {
  const servers: Server[] = [];
  let first: Database | undefined;
  let second: Database | undefined;
  let third: Database | undefined;
  beforeAll(async () => {
    const primary = await ownServer(major);
    servers.push(primary);
    servers.push(await standbyOf(primary));
    servers.push(await standbyOf(primary, { from: servers[1] as Server }));
    [first, second, third] = await Promise.all(servers.map((server) => openDatabase(server)));
  }, 60_000);
  afterAll(() => Promise.all(servers.map((server) => server.remove())));

  const on = (database: Database | undefined, sql: string) => (database as Database).run(sql);
  const write = () =>
    on(
      first,
      'drop table if exists parts; create table parts as select n, n::text as label from generate_series(1, 100000) n',
    );
  const urlsOf = (user = 'monitor') => ({
    first: first?.url(user) ?? '',
    second: second?.url(user) ?? '',
    third: third?.url(user) ?? '',
  });
  const look = async (thresholds = {}, urls: Record<string, string> = urlsOf()) =>
    (await checkNodes(replicationLag, urls, { thresholds })).result;
  const toBeGone = (thresholds = {}) =>
    until('standbys to catch up', async () => (await look(thresholds)).outcome === 'ok');

  it('finds nothing where all standbys stream, however long nobody has written', async () => {
    await toBeGone({ minBytes: 1_048_576, minSeconds: 0, criticalSeconds: 0, missingSeconds: 0 });
    expect(await look()).toMatchObject({ outcome: 'ok', findings: [], unjudged: [] });
  });

  it('finds paused replay, says so, and that nothing has moved since', async () => {
    const looks = new Looks(replicationLag, urlsOf);
    await on(second, 'select pg_wal_replay_pause()');
    await write();
    const [finding, ...others] = await until('all to be received', async () => {
      const { findings } = await looks.look(oneMegabyte);
      const { unflushedBytes, stalled } = findings[0]?.facts ?? {};
      return (unflushedBytes as number) < 100_000 && stalled ? findings : null;
    });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      node: 'second',
      fingerprint: 'second',
      severity: 'warning',
      title: expect.stringMatching(/^standby second is .* MB .*behind$/),
      summary: expect.stringContaining('Replay is paused there'),
      subject: { kind: 'standby', name: 'second' },
      facts: { upstream: 'first', isPaused: true, isStreaming: true, stalled: true, isConfigured: true },
    });
    const timely = await until(
      'it to be late',
      async () => (await looks.look(only({ criticalSeconds: 1 }))).findings[0],
    );
    expect(timely).toMatchObject({ severity: 'critical', facts: { isPaused: true } });
    expect(timely.facts['lagSeconds']).toBeGreaterThanOrEqual(1);
    await on(second, 'select pg_wal_replay_resume()');
    await toBeGone(oneMegabyte);
  });

  it('finds the standby of a standby, and whom it streams from', async () => {
    await on(third, 'select pg_wal_replay_pause()');
    await write();
    const { findings, unjudged } = await until('the others to catch up', async () => {
      const result = await look(oneMegabyte);
      return result.findings.length === 1 ? result : null;
    });
    expect(unjudged).toEqual([]);
    expect(findings).toMatchObject([{ node: 'third', facts: { upstream: 'second', isPaused: true } }]);
    await on(third, 'select pg_wal_replay_resume()');
    await toBeGone(oneMegabyte);
  });

  it('subtracts the delay that a standby is told to keep', async () => {
    const setDelay = async (delay: string) => {
      await on(second, `alter system set recovery_min_apply_delay = '${delay}'`);
      await on(second, 'select pg_reload_conf()');
      await until(
        'the delay',
        async () => (await on(second, 'show recovery_min_apply_delay')).rows[0]?.recovery_min_apply_delay === delay,
      );
    };
    await setDelay('10min');
    // What is delayed is the commit: of the first all but that is replayed, of the second nothing.
    await write();
    await write();
    const delayed = await until('all to be received', async () => {
      const { findings } = await look({ minBytes: 0, missingSeconds: never });
      const finding = findings.find(({ node }) => node === 'second');
      return (finding?.facts['unflushedBytes'] as number) < 100_000 && finding;
    });
    expect(delayed.facts).toMatchObject({ delaySeconds: 600 });
    expect(delayed.facts['unreplayedBytes']).toBeGreaterThan(1_048_576);
    expect((await look(oneMegabyte)).findings.filter(({ node }) => node === 'second')).toEqual([]);
    await setDelay('0');
    await toBeGone(oneMegabyte);
  });

  it('watches a standby that is not configured from its upstream, by bytes', async () => {
    const urls = { first: first?.url('monitor') ?? '' };
    const { findings, unjudged } = await look({ minBytes: 0 }, urls);
    expect(unjudged).toEqual([]);
    expect(findings).toMatchObject([
      { node: 'first', fingerprint: 'walreceiver', facts: { isConfigured: false, isPaused: null } },
    ]);
    expect(findings[0]?.title).toContain('walreceiver (not a configured node)');
    expect((await look({}, urls)).outcome).toBe('ok');
  });

  it('cannot judge standbys without their primary, and says so', async () => {
    const { first: _, ...standbys } = urlsOf();
    const { outcome, unjudged } = await look({}, standbys);
    expect(outcome).toBe('cannot-judge');
    expect(unjudged).toMatchObject(
      ['second', 'third'].map((node) => ({ node, reason: expect.stringContaining('no primary answers') })),
    );
  });

  it('asks for pg_monitor where the login has not got it', async () => {
    const { unjudged } = await look({}, urlsOf('plain'));
    expect(unjudged).toMatchObject(
      ['first', 'second', 'third'].map((node) => ({ node, remedy: 'grant pg_monitor to "plain";' })),
    );
  });

  it('finds a standby that streams from nobody, and one that does not answer and is listed by nobody', async () => {
    const looks = new Looks(replicationLag, urlsOf);
    expect((await looks.look()).outcome).toBe('ok');
    const server = servers[1] as Server;
    await on(second, "alter system set primary_conninfo = 'host=127.0.0.1 port=1 user=postgres'");
    await server.stop();
    const down = await until('the stream to be gone', async () => {
      const { findings } = await looks.look(only({ missingSeconds: 1 }));
      return findings.find(({ node }) => node === 'second');
    });
    expect(down).toMatchObject({ severity: 'critical', title: 'standby second streams from nobody' });
    expect(down.summary).toContain('It does not answer');
    await server.run();
    second = await openDatabase(server);
    expect((await looks.look()).findings.filter(({ node }) => node === 'second')).toEqual([]);
    const cut = await until('no receiver', async () => {
      const { findings } = await look();
      return findings.find(({ node, summary }) => node === 'second' && summary.includes('It has no WAL receiver'));
    });
    expect(cut).toMatchObject({ severity: 'critical', title: 'standby second streams from nobody' });
    await on(
      second,
      `alter system set primary_conninfo = 'host=${first?.server.host} port=${first?.server.port} user=postgres'`,
    );
    await server.stop();
    await server.run();
    second = await openDatabase(server);
    await toBeGone();
  });
});
