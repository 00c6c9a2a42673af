import { describe, expect, it } from 'vitest';
import { majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { itRefusesToSignal } from './refusals.ts';
import { endOf, expectNobodyHit, expectRefused, type Patient, paramsOf, pidOf, useWard, waitForState } from './ward.ts';

describe.each(majors)('cancel-query on PostgreSQL %i', (major) => {
  const ward = useWard(major);

  /** A long statement, after which its transaction can go on. */
  async function sicken(user = 'app', application = 'test'): Promise<Patient> {
    const client = await ward.session(user, application);
    await client.query('begin');
    await client.query('savepoint before');
    const ended = endOf(client.query('select pg_sleep(600)'));
    const pid = pidOf(client);
    await until('the statement to run', async () => (await ward.activity(pid))?.waitEvent === 'PgSleep');
    return { client, pid, ended };
  }

  async function approved(patient: Patient) {
    const remedy = await ward.open();
    const run = await remedy.ask('cancel-query', { pid: String(patient.pid) });
    expect((await remedy.approve(run)).decision).toBe('approved');
    return { remedy, run };
  }

  async function stop({ pid, client, ended }: Patient): Promise<void> {
    await ward.database.run('select pg_cancel_backend($1)', [pid]);
    expect(await ended).toBe('57014');
    await client.query('rollback to savepoint before');
  }

  it('ends the statement that long-transactions found, and leaves the connection', async () => {
    const remedy = await ward.open();
    const patient = await sicken();
    const [run] = await remedy.propose('long-transactions', patient.pid);
    if (!run) throw new Error('nothing was proposed');
    expect(run).toMatchObject({ runbook: 'cancel-query', askedBy: null });
    expect(await remedy.carryOut(run)).toMatchObject({ state: 'succeeded', outcome: /^verified after/ });
    expect(await patient.ended).toBe('57014');
    await patient.client.query('rollback');
    expect((await patient.client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect(remedy.nudged).toContain(`check long-transactions ${run.target}`);
  });

  it('refuses when the same transaction runs its next statement', async () => {
    const patient = await sicken();
    const { remedy, run } = await approved(patient);
    await stop(patient);
    const next = endOf(patient.client.query('select pg_sleep(600)'));
    await until('the next statement', async () => (await ward.activity(patient.pid))?.waitEvent === 'PgSleep');
    await expectRefused(remedy, run, /runs another statement now/);
    await expectNobodyHit(ward.database, run);
    expect(await Promise.race([next, 'goes on'])).toBe('goes on');
  });

  it('refuses when the session runs nothing any more', async () => {
    const patient = await sicken();
    const { remedy, run } = await approved(patient);
    await stop(patient);
    await waitForState(ward, patient.pid, 'idle in transaction');
    await expectRefused(remedy, run, /is no longer in the state that was approved \(now: idle in transaction\)/);
    await expectNobodyHit(ward.database, run);
  });

  it('refuses when the session is in its next transaction', async () => {
    const patient = await sicken();
    const { remedy, run } = await approved(patient);
    await stop(patient);
    await patient.client.query('commit');
    const next = endOf(patient.client.query('select pg_sleep(600)'));
    await until('the next statement', async () => (await ward.activity(patient.pid))?.waitEvent === 'PgSleep');
    await expectRefused(remedy, run, /is no longer the same transaction \(it started a new one at /);
    await expectNobodyHit(ward.database, run);
    expect(await Promise.race([next, 'goes on'])).toBe('goes on');
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
    const params = { ...(await paramsOf(ward.database, 'cancel-query', patient.pid)), pid: String(successor.pid) };
    const run = await remedy.ask('cancel-query', params);
    await remedy.approve(run);
    await expectRefused(remedy, run, /is another connection now/);
    await expectNobodyHit(ward.database, run);
    expect((await ward.activity(successor.pid))?.waitEvent).toBe('PgSleep');
  });

  itRefusesToSignal({ runbook: 'cancel-query', major, ward, sicken });
});
