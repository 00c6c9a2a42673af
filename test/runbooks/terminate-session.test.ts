import { describe, expect, it } from 'vitest';
import { makeRowLockStorm } from '../support/illness.ts';
import { majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { itRefusesToSignal } from './refusals.ts';
import { expectNobodyHit, expectRefused, type Patient, paramsOf, pidOf, useWard, waitForState } from './ward.ts';

describe.each(majors)('terminate-session on PostgreSQL %i', (major) => {
  const ward = useWard(major);

  /** Idle in transaction. */
  async function sicken(user = 'app', application = 'test'): Promise<Patient> {
    const client = await ward.session(user, application);
    const ended = new Promise<string>((resolve) => client.once('end', () => resolve('gone')));
    await client.query('begin');
    await client.query('select 1');
    const pid = pidOf(client);
    await waitForState(ward, pid, 'idle in transaction');
    return { client, pid, ended };
  }

  async function approved(patient: Patient) {
    const remedy = await ward.open();
    const run = await remedy.ask('terminate-session', { pid: String(patient.pid) });
    expect((await remedy.approve(run)).decision).toBe('approved');
    return { remedy, run };
  }

  it('ends the session that lock-chains found, and those who waited come through', async () => {
    const storm = await makeRowLockStorm(ward.database);
    const remedy = await ward.open();
    const [run] = await remedy.propose('lock-chains', storm.rootPid);
    if (!run) throw new Error('nothing was proposed');
    const ended = await remedy.carryOut(run);
    expect(ended).toMatchObject({ runbook: 'terminate-session', state: 'succeeded' });
    expect(ended.beforeAfter).toMatch(/^waiting sessions 2 → 0/);
    await storm.through;
    expect(await ward.activity(storm.rootPid)).toBeUndefined();
    await storm.end();
  });

  it('ends a session whose transaction has failed', async () => {
    const patient = await sicken();
    await patient.client.query('select 1/0').catch((error) => expect(error.code).toBe('22012'));
    await waitForState(ward, patient.pid, 'idle in transaction (aborted)');
    const remedy = await ward.open();
    const [run] = await remedy.propose('long-transactions', patient.pid);
    if (!run) throw new Error('nothing was proposed');
    expect(await remedy.carryOut(run)).toMatchObject({ state: 'succeeded' });
    expect(await patient.ended).toBe('gone');
  });

  it('refuses when the transaction has ended', async () => {
    const patient = await sicken();
    const { remedy, run } = await approved(patient);
    await patient.client.query('commit');
    await waitForState(ward, patient.pid, 'idle');
    await expectRefused(remedy, run, /^pid \d+ has ended that transaction$/);
    await expectNobodyHit(ward.database, run);
    expect((await patient.client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  it('refuses when the transaction has failed since', async () => {
    const patient = await sicken();
    const { remedy, run } = await approved(patient);
    await patient.client.query('select 1/0').catch((error) => expect(error.code).toBe('22012'));
    await waitForState(ward, patient.pid, 'idle in transaction (aborted)');
    await expectRefused(remedy, run, /^that transaction of pid \d+ has failed since/);
    await expectNobodyHit(ward.database, run);
  });

  it('refuses when the session is in its next transaction', async () => {
    const patient = await sicken();
    const { remedy, run } = await approved(patient);
    for (const statement of ['commit', 'begin', 'select 1']) await patient.client.query(statement);
    await waitForState(ward, patient.pid, 'idle in transaction');
    await expectRefused(remedy, run, /is no longer the same transaction \(it started a new one at /);
    await expectNobodyHit(ward.database, run);
    await patient.client.query('commit');
  });

  it('refuses a finding that the job no longer makes', async () => {
    const patient = await sicken();
    const remedy = await ward.open();
    const [run] = await remedy.propose('long-transactions', patient.pid);
    if (!run) throw new Error('nothing was proposed');
    await remedy.approve(run);
    await patient.client.query('commit');
    await waitForState(ward, patient.pid, 'idle');
    await expectRefused(remedy, run, /has ended that transaction/);
  });

  it('refuses when the session has ended', async () => {
    const patient = await sicken();
    const { remedy, run } = await approved(patient);
    await patient.client.end();
    await until('its end', async () => !(await ward.activity(patient.pid)));
    await expectRefused(remedy, run, /^pid \d+ is gone$/);
  });

  it('refuses a pid that now belongs to another session', async () => {
    const [patient, successor] = [await sicken(), await sicken()];
    const remedy = await ward.open();
    const params = await paramsOf(ward.database, 'terminate-session', patient.pid);
    const run = await remedy.ask('terminate-session', { ...params, pid: String(successor.pid) });
    await remedy.approve(run);
    await expectRefused(remedy, run, /is another connection now/);
    await expectNobodyHit(ward.database, run);
    await successor.client.query('commit');
  });

  itRefusesToSignal({ runbook: 'terminate-session', major, ward, sicken });
});
