import type pg from 'pg';
import { beforeEach, describe, expect, it } from 'vitest';
import { majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { itRefusesToSignal } from './refusals.ts';
import { endOf, expectNobodyHit, expectRefused, type Patient, paramsOf, pidOf, useWard, waitForState } from './ward.ts';

describe.each(majors)('cancel-queued-ddl on PostgreSQL %i', (major) => {
  const ward = useWard(major);
  let holder: pg.Client;

  beforeEach(async () => {
    holder = await ward.session();
    await holder.query('begin');
    await holder.query('select from orders');
  });

  /** Queues for a lock that conflicts with everyone. */
  async function sicken(user = 'app', application = 'test'): Promise<Patient> {
    const client = await ward.session(user, application);
    const pid = pidOf(client);
    await client.query('begin');
    await client.query('savepoint before');
    const ended = endOf(client.query('alter table orders alter column status drop not null'));
    await until('the statement to queue', async () => (await ward.activity(pid))?.waitEvent === 'relation');
    return { client, pid, ended };
  }

  async function approved(patient: Patient) {
    const remedy = await ward.open();
    const run = await remedy.ask('cancel-queued-ddl', { pid: String(patient.pid) });
    expect((await remedy.approve(run)).decision).toBe('approved');
    return { remedy, run };
  }

  it('cancels the statement that lock-chains found queued, and the readers behind it come through', async () => {
    const patient = await sicken();
    const readers = [await ward.session(), await ward.session()];
    const through = Promise.all(readers.map((reader) => reader.query('select status from orders')));
    for (const reader of readers)
      await until('a reader to wait', async () => (await ward.activity(pidOf(reader)))?.waitEvent === 'relation');
    const remedy = await ward.open();
    const [run] = await remedy.propose('lock-chains', patient.pid);
    if (!run) throw new Error('nothing was proposed');
    expect(run.runbook).toBe('cancel-queued-ddl');
    expect(await remedy.carryOut(run)).toMatchObject({ state: 'succeeded' });
    expect(await patient.ended).toBe('57014');
    expect((await through).map(({ rows }) => rows)).toEqual([[{ status: 'new' }], [{ status: 'new' }]]);
    await patient.client.query('rollback');
    await holder.query('commit');
  });

  it('refuses when the statement got its lock', async () => {
    const patient = await sicken();
    const { remedy, run } = await approved(patient);
    await holder.query('commit');
    expect(await patient.ended).toBeNull();
    await waitForState(ward, patient.pid, 'idle in transaction');
    await expectRefused(remedy, run, /is no longer in the state that was approved \(now: idle in transaction\)/);
    await expectNobodyHit(ward.database, run);
    await patient.client.query('commit');
  });

  it('refuses when the same transaction queues with its next statement', async () => {
    const patient = await sicken();
    const { remedy, run } = await approved(patient);
    await ward.database.run('select pg_cancel_backend($1)', [patient.pid]);
    expect(await patient.ended).toBe('57014');
    await patient.client.query('rollback to savepoint before');
    const next = endOf(patient.client.query('lock orders in access exclusive mode'));
    await until('the next statement', async () => (await ward.activity(patient.pid))?.waitEvent === 'relation');
    await expectRefused(remedy, run, /runs another statement now/);
    await expectNobodyHit(ward.database, run);
    await holder.query('commit');
    expect(await next).toBeNull();
  });

  it('refuses when the session has ended', async () => {
    const patient = await sicken();
    const { remedy, run } = await approved(patient);
    await ward.database.run('select pg_terminate_backend($1)', [patient.pid]);
    await until('its end', async () => !(await ward.activity(patient.pid)));
    await expectRefused(remedy, run, /^pid \d+ is gone$/);
  });

  it('refuses a pid that now belongs to another session', async () => {
    const [patient, successor] = [await sicken(), await sicken()];
    const remedy = await ward.open();
    const params = { ...(await paramsOf(ward.database, 'cancel-queued-ddl', patient.pid)), pid: String(successor.pid) };
    const run = await remedy.ask('cancel-queued-ddl', params);
    await remedy.approve(run);
    await expectRefused(remedy, run, /is another connection now/);
    await expectNobodyHit(ward.database, run);
    expect((await ward.activity(successor.pid))?.waitEvent).toBe('relation');
  });

  itRefusesToSignal({ runbook: 'cancel-queued-ddl', major, ward, sicken });
});
