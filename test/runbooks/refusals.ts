import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Server } from '../../src/demo/server.ts';
import { setPause } from '../../src/state/switches.ts';
import { pgbouncerAvailable, startPgbouncer } from '../support/pgbouncer.ts';
import { approver, openRemedy } from '../support/remedy.ts';
import { ownServer } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import {
  endOf,
  expectNobodyHit,
  expectRefused,
  type Patient,
  paramsOf,
  pidOf,
  type Sicken,
  type Ward,
} from './ward.ts';

interface Treatment {
  runbook: string;
  major: number;
  ward: Ward;
  sicken: Sicken;
}

/** What no runbook of class signal does, whatever it is for. */
export function itRefusesToSignal(treatment: Treatment): void {
  describe(`${treatment.runbook} refuses`, () => {
    whoIsProtected(treatment);
    whatTheLoginMayNotDo(treatment);
    whatIsTooMuch(treatment);
    whoWaitsForASynchronousStandby(treatment);
  });
}

function whoIsProtected({ runbook, ward, sicken }: Treatment): void {
  it('an application on the protect list', async () => {
    const remedy = await ward.open({ protect: ['precious*'] });
    const patient = await sicken('app', 'Precious-Billing');
    const run = await remedy.ask(runbook, { pid: String(patient.pid) });
    await remedy.approve(run);
    await expectRefused(remedy, run, /is on the config's protect list \(precious\*\)/);
    await expectUnharmed(ward, patient);
  });

  it('a walsender, and so does its act by itself', async () => {
    const remedy = await ward.open();
    const client = new pg.Client({
      connectionString: ward.database.url(),
      application_name: 'test',
      ...{ replication: 'database' },
    });
    await client.connect();
    const run = await remedy.ask(runbook, await paramsOf(ward.database, runbook, pidOf(client)));
    await remedy.approve(run);
    await expectRefused(remedy, run, /is a walsender/);
    await expectNobodyHit(ward.database, run);
    await client.query('IDENTIFY_SYSTEM');
    await client.end();
  });

  it('the session that we watch with, by its pid', async () => {
    const remedy = await ward.open();
    const reader = [...remedy.context.targets.values()][0]?.nodes[0]?.reader;
    const pid = (await reader?.probe())?.pid ?? 0;
    const run = await remedy.ask(runbook, await paramsOf(ward.database, runbook, pid));
    await remedy.approve(run);
    await expectRefused(remedy, run, /is one of pgorderly's own sessions/);
    await expectNobodyHit(ward.database, run);
  });
}

function whatTheLoginMayNotDo({ runbook, ward, sicken }: Treatment): void {
  it("a superuser's session, with a login that is none", async () => {
    await refusedFor(await sicken('postgres'), 'actor', /belongs to a superuser; only a superuser may end it/);
  });

  it('a login without pg_signal_backend, and names the grant', async () => {
    await refusedFor(await sicken(), 'monitor', /grant pg_signal_backend to monitor/);
  });

  it('a login without pg_read_all_stats, and names the grant', async () => {
    await refusedFor(await sicken(), 'plain', /grant pg_read_all_stats to plain/);
  });

  it.runIf(pgbouncerAvailable())('a login that goes through a pooler (needs pgbouncer)', async () => {
    const pooler = await startPgbouncer(ward.database.server);
    try {
      const remedy = await ward.open({ signalUrl: pooler.url(ward.database.name, 'actor') });
      const patient = await sicken();
      const run = await remedy.ask(runbook, { pid: String(patient.pid) });
      await remedy.approve(run);
      await expectRefused(remedy, run, /goes through a connection pooler/);
      await expectUnharmed(ward, patient);
    } finally {
      await pooler.stop();
    }
  });

  async function refusedFor(patient: Patient, login: string, why: RegExp): Promise<void> {
    const remedy = await ward.open({ signalUrl: ward.database.url(login) });
    const run = await remedy.ask(runbook, { pid: String(patient.pid) });
    await remedy.approve(run);
    await expectRefused(remedy, run, why);
    await expectUnharmed(ward, patient);
  }
}

function whatIsTooMuch({ runbook, ward, sicken }: Treatment): void {
  it('the sixth signal on a target within ten minutes', async () => {
    const remedy = await ward.open();
    for (let signal = 1; signal <= 5; signal++) {
      const patient = await sicken();
      const run = await remedy.carryOut(await remedy.ask(runbook, { pid: String(patient.pid) }));
      expect(run).toMatchObject({ state: 'succeeded' });
      await patient.client.end();
    }
    const patient = await sicken();
    const run = await remedy.ask(runbook, { pid: String(patient.pid) });
    await remedy.approve(run);
    await expectRefused(remedy, run, /^5 signals were sent on shop-\S+ within 10 minutes, the limit is 5$/);
    await expectUnharmed(ward, patient);
  });

  it('a cluster that has two names', async () => {
    const [one, other] = [`one-${runbook}`, `other-${runbook}`];
    const remedy = await ward.open({ targets: [one, other] });
    await remedy.propose('long-transactions', undefined, other);
    const patient = await sicken();
    const run = await remedy.ask(runbook, { pid: String(patient.pid) });
    await remedy.approve(run);
    await expectRefused(remedy, run, new RegExp(`^${other} is the same cluster under another name$`));
    await expectUnharmed(ward, patient);
  });

  it('everything while actions are paused, also what was approved before', async () => {
    const remedy = await ward.open();
    const patient = await sicken();
    const run = await remedy.ask(runbook, { pid: String(patient.pid) });
    await remedy.approve(run);
    await setPause(remedy.context.pool, true, approver.userId, 'a migration');
    await expectRefused(remedy, run, /actions are paused/);
    const again = await remedy.ask(runbook, { pid: String(patient.pid) });
    expect((await remedy.approve(again)).decision).toBe('paused');
    await setPause(remedy.context.pool, false, approver.userId, null);
    expect(await remedy.carryOut(again)).toMatchObject({ state: 'succeeded' });
  });
}

function whoWaitsForASynchronousStandby({ runbook, major, ward }: Treatment): void {
  let server: Server;
  beforeAll(async () => {
    // By default commits wait for nobody, or the server's own roles could not be made.
    const settings = { synchronous_standby_names: 'missing', synchronous_commit: 'local' };
    server = await ownServer(major, settings);
  });
  afterAll(() => server?.remove());

  it('a session that waits for a synchronous standby, and so does its act by itself', async () => {
    const [client, helper] = await Promise.all([connect(server), connect(server)]);
    await client.query('create table orders (id integer)');
    await client.query('set synchronous_commit = on');
    const ended = endOf(client.query('insert into orders values (1)'));
    const pid = pidOf(client);
    await until('the wait for the standby', () => isWaiting(helper, pid));
    const urls = { stateUrl: ward.state.url(), monitorUrl: server.url('postgres', 'monitor'), signalUrl: server.url() };
    const remedy = await openRemedy({ ...urls, targets: [`sync-${major}-${runbook}`] });
    try {
      const run = await remedy.ask(runbook, { pid: String(pid) });
      await remedy.approve(run);
      await expectRefused(remedy, run, /waits for a synchronous standby: a signal would commit it locally/);
      const database = { run: (sql: string) => helper.query(sql) };
      await expectNobodyHit(database, run);
      expect(await isWaiting(helper, pid)).toBe(true);
    } finally {
      await remedy.close();
    }
    await helper.query("alter system set synchronous_standby_names = ''");
    await helper.query('select pg_reload_conf()');
    expect(await ended).toBeNull();
    await Promise.all([client.end(), helper.end()]);
  });
}

async function connect(server: Server): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url(), application_name: 'test' });
  await client.connect();
  return client;
}

async function isWaiting(helper: pg.Client, pid: number): Promise<boolean> {
  const { rows } = await helper.query("select from pg_stat_activity where pid = $1 and wait_event = 'SyncRep'", [pid]);
  return rows.length === 1;
}

/** Still there, in the very statement or transaction it was in. */
async function expectUnharmed(ward: Ward, { pid, ended }: Patient): Promise<void> {
  expect(await ward.activity(pid)).toBeDefined();
  expect(await Promise.race([ended, Promise.resolve('goes on')])).toBe('goes on');
}
