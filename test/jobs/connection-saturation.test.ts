import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectionSaturation } from '../../jobs/connection-saturation.ts';
import type { Server } from '../../src/demo/server.ts';
import { Reader } from '../../src/targets/reader.ts';
import { type Database, majors, openDatabase, ownServer } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkJob } from './check-job.ts';

/** 10 slots, of which one is kept for superusers; 16 and later keep one more for who may use it. */
const settings = (major: number) => ({
  max_connections: '12',
  superuser_reserved_connections: '1',
  max_wal_senders: '1',
  ...(major >= 16 ? { reserved_connections: '1' } : {}),
});

describe.each(majors)('connection-saturation on PostgreSQL %i', (major) => {
  let server: Server;
  let database: Database;
  let clients: pg.Client[] = [];
  let warm: Reader;
  const usable = major >= 16 ? 10 : 11;

  beforeAll(async () => {
    server = await ownServer(major, settings(major));
    database = await openDatabase(server);
    warm = new Reader({ name: 'main', url: database.url('monitor') });
    await warm.probe();
  });
  afterEach(async () => {
    await leave();
  });
  afterAll(async () => {
    await warm?.close();
    await server?.remove();
  });

  async function come(count: number, user = 'app') {
    for (let number = 0; number < count; number++) clients.push(await database.client(user, 'shop'));
  }
  async function leave() {
    await Promise.all(clients.map((client) => client.end()));
    clients = [];
    // A client that has said goodbye keeps its slot for a moment.
    const left = "select from pg_stat_activity where application_name = 'shop'";
    await until('the clients to be gone', async () => (await database.run(left)).rowCount === 0);
  }
  const check = () => checkJob(connectionSaturation, database, { reader: warm });

  it('counts clients against the slots that are not reserved, until they leave', async () => {
    expect(await check()).toMatchObject({ outcome: 'ok', findings: [] });
    // The test's own connection and the reader's are the other two.
    await come(usable - 3);
    const [warning] = (await check()).findings;
    expect(warning).toMatchObject({
      severity: 'warning',
      fingerprint: 'main server',
      facts: { used: usable - 1, limit: usable, maxConnections: 12 },
    });
    expect(warning?.evidence).toMatch(/^ +\d+ {2}shop \(role app, database postgres\): \d+ idle, the longest for /);
    await come(1);
    const [critical] = (await check()).findings;
    expect(critical).toMatchObject({ severity: 'critical', facts: { percent: 100 } });
    await leave();
    expect((await check()).findings).toEqual([]);
  });

  it('takes it as critical that it is refused itself, until it is let in', async () => {
    await come(usable - 2);
    const refused = await checkJob(connectionSaturation, database);
    expect(refused).toMatchObject({ outcome: 'findings', covered: [] });
    expect(refused.findings).toMatchObject([{ severity: 'critical', fingerprint: 'main refuses', node: 'main' }]);
    await leave();
    expect(await checkJob(connectionSaturation, database)).toMatchObject({ outcome: 'ok', findings: [] });
  });

  it('judges the limits of roles and databases, but no limit that only keeps a job from running twice', async () => {
    await database.run('alter role app connection limit 4');
    await come(4);
    const [finding, ...others] = (await check()).findings;
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ fingerprint: 'main role app', severity: 'critical', subject: { kind: 'role' } });
    await database.run('alter role app connection limit 2');
    expect((await check()).findings).toEqual([]);
    await database.run('alter role app connection limit -1');
    await database.run('alter database postgres connection limit 7');
    expect((await check()).findings).toMatchObject([{ fingerprint: 'main database postgres', severity: 'warning' }]);
    await database.run('alter database postgres connection limit -1');
    expect((await check()).findings).toEqual([]);
  });

  it('does not call a server well whose sessions it cannot tell apart', async () => {
    await database.run('alter role app connection limit -1');
    const result = await checkJob(connectionSaturation, database, { user: 'plain' });
    expect(result).toMatchObject({ outcome: 'cannot-judge', covered: [] });
    expect(result.unjudged[0]?.remedy).toBe('grant pg_monitor to "plain";');
  });
});
