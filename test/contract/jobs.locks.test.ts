import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { jobs } from '../../jobs/index.ts';
import type { Server } from '../../src/demo/server.ts';
import type { CheckResult } from '../../src/model.ts';
import { makeRowLockStorm, type Storm } from '../support/illness.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, ownServer, sampled, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { type Watch, watch } from './watch.ts';

const isOfNode = (_: CheckResult, index: number) => jobs[index]?.scope !== 'database';
const roles = ['postgres', 'monitor', 'plain'];
const longTest = 120_000;

describe.each(sampled)('on PostgreSQL %i', (major) => {
  describe('while something is locked in access exclusive mode', () => {
    let database: Database;
    let storm: Storm;
    let holder: pg.Client;
    let watching: Watch[] = [];

    beforeAll(async () => {
      database = await createDatabase(major);
      await database.run('create table parts (id integer primary key)');
    });
    failOnLeaks(() => database);
    beforeEach(async () => {
      storm = await makeRowLockStorm(database);
      holder = await database.client();
    });
    afterEach(async () => {
      await holder.end();
      await Promise.all(watching.map((one) => one.close()));
      await storm.end();
    });

    describe.each(roles)('as %s', (role) => {
      it('a user table: each job finds what it found before', async () => {
        const { before, meanwhile } = await checkBehind('parts', role);
        expect(meanwhile.map(({ outcome }) => outcome)).toEqual(before.map(({ outcome }) => outcome));
      });

      it('pg_class: only what asks about relations may fail, and says so', { timeout: longTest }, async () => {
        const { before, meanwhile, after } = await checkBehind('pg_catalog.pg_class', role);
        expect(meanwhile.filter(isOfNode).map(({ outcome }) => outcome)).toEqual(
          before.filter(isOfNode).map(({ outcome }) => outcome),
        );
        expectNoFalseOk(before, meanwhile);
        expect(after.map(({ outcome }) => outcome)).toEqual(before.map(({ outcome }) => outcome));
      });

      it('pg_authid: each job ends, and none says ok', { timeout: longTest }, async () => {
        const { before, meanwhile, after } = await checkBehind('pg_catalog.pg_authid', role);
        expectNoFalseOk(before, meanwhile);
        expect(after.map(({ outcome }) => outcome)).toEqual(before.map(({ outcome }) => outcome));
      });
    });

    it('a user table, on the standby that replays the lock: each job finds what it found before', async () => {
      const replica = await standby(major);
      watching = watchEach(replica.url('postgres', 'monitor'));
      const before = await checkEach(watching);
      await holder.query('begin');
      await holder.query('lock table parts in access exclusive mode');
      // Nobody waits for the record of a lock: without this it is sent when something else is.
      await database.run('select pg_switch_wal()');
      const seen = new pg.Client({ connectionString: replica.url(), application_name: 'test' });
      await seen.connect();
      const locks = "select from pg_locks where mode = 'AccessExclusiveLock' and locktype = 'relation' and granted";
      await until('the lock on the standby', async () => (await seen.query(locks)).rows.length > 0);
      expect((await checkEach(watching)).map(({ outcome }) => outcome)).toEqual(before.map(({ outcome }) => outcome));
      await holder.query('rollback');
      await seen.end();
    });

    /** Each job over a warm connection: before the table is locked, meanwhile, and after. */
    async function checkBehind(table: string, role: string) {
      watching = watchEach(impatient(database.url(role)));
      const before = await checkEach(watching);
      await holder.query('begin');
      await holder.query(`lock table ${table} in access exclusive mode`);
      const meanwhile = await checkEach(watching);
      await holder.query('rollback');
      return { before, meanwhile, after: await checkEach(watching) };
    }
  });

  describe('at the connection limit', () => {
    let server: Server;
    beforeAll(async () => {
      server = await ownServer(major, { max_connections: '12', max_wal_senders: '1' });
    });
    afterAll(() => server?.remove());

    it('a warm connection goes on, a new one is an error, and the next one after it is none', async () => {
      const url = server.url('postgres', 'monitor');
      const [warm, fresh] = [watch(url), watch(url)];
      const before = await checkAll(warm);
      const clients = await fillUp(server);
      const meanwhile = await checkAll(warm);
      expect(meanwhile.filter(isOfNode).map(({ outcome }) => outcome)).toEqual(
        before.filter(isOfNode).map(({ outcome }) => outcome),
      );
      // Another database wants another connection.
      for (const { job, unjudged } of meanwhile.filter((result, index) => !isOfNode(result, index)))
        expect(unjudged.length, job).toBeGreaterThan(0);
      for (const { job, outcome, reason, covered } of await checkAll(fresh)) {
        // To one of them it is what it looks for.
        const expected = job === 'connection-saturation' ? 'findings' : 'error';
        expect({ outcome, covered }).toEqual({ outcome: expected, covered: [] });
        expect(reason).toMatch(/^main: main \(monitor@.*\) refused: /);
      }
      await Promise.all(clients.map((client) => client.end()));
      expect((await checkAll(fresh)).map(({ outcome }) => outcome)).toEqual(before.map(({ outcome }) => outcome));
      await Promise.all([warm.close(), fresh.close()]);
    });
  });
});

/** A server whose pg_authid is locked lets a new connection hang; a second shows it as well as the usual five. */
function impatient(url: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}connect_timeout=1`;
}

function watchEach(url: string): Watch[] {
  return jobs.map(() => watch(url));
}

/** At once, each over its own connections: most of the time is spent in waiting. */
function checkEach(watching: readonly Watch[]): Promise<CheckResult[]> {
  return Promise.all(jobs.flatMap((job, index) => watching[index]?.check(job) ?? []));
}

/** In turn, over the same. */
async function checkAll(watching: Watch): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const job of jobs) results.push(await watching.check(job));
  return results;
}

/** What found something before, or could not judge, has seen nothing get well. */
function expectNoFalseOk(before: CheckResult[], meanwhile: CheckResult[]): void {
  for (const [index, { job, outcome }] of before.entries())
    if (outcome !== 'ok') expect(meanwhile[index]?.outcome, job).not.toBe('ok');
}

/** Takes every slot that isn't kept for superusers. */
async function fillUp(server: Server): Promise<pg.Client[]> {
  const clients: pg.Client[] = [];
  for (;;) {
    const client = new pg.Client({ connectionString: server.url('postgres', 'app'), application_name: 'test' });
    try {
      await client.connect();
      clients.push(client);
    } catch (error) {
      expect(error).toMatchObject({ code: '53300' });
      return clients;
    }
  }
}
