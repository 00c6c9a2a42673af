import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import type { RunbookClass, RunState } from '../../src/model.ts';
import { type Plan, sealPlan } from '../../src/remedy/plan.ts';
import type { Step } from '../../src/remedy/runbook/runbook.ts';
import { readCardFacts, type ShownRun } from '../../src/slack/cards/read.ts';
import { StateDatabase } from '../../src/state/database.ts';
import { insertRun, type NewRun } from '../../src/state/runs.ts';
import { createDatabase, newest } from '../support/servers.ts';

let state: StateDatabase;

beforeAll(async () => {
  const database = await createDatabase(newest);
  state = new StateDatabase(database.url(), createLog('silent'));
  await state.start();
});
afterAll(() => state?.close());
beforeEach(() => state.pool.query('delete from runs'));

interface Made extends Partial<Pick<NewRun, 'runbook' | 'relation' | 'follows' | 'target'>> {
  as: RunState;
  class?: RunbookClass;
  steps?: readonly Step[];
}

let made = 0;

async function make({ as, steps = [], ...given }: Made): Promise<number> {
  const { text, hash } = sealPlan({ steps } as Partial<Plan> as Plan);
  const run: NewRun = {
    alertId: null,
    target: 'shop',
    runbook: 'vacuum-table',
    risk: 'medium',
    class: 'maintain',
    subject: `subject ${++made}`,
    relation: null,
    follows: null,
    does: 'tidies up',
    plan: text,
    planHash: hash,
    askedBy: null,
    expiresInSeconds: 900,
    trace: null,
    ...given,
  };
  const id = await insertRun(state.pool, run);
  if (id === null) return expect.fail('the subject has an open run');
  await state.pool.query('update runs set state = $2 where id = $1', [id, as]);
  return id;
}

async function read(runId: number): Promise<ShownRun | undefined> {
  return (await readCardFacts(state.pool, { alertId: null, runId, reportId: null })).runs[0];
}

describe('the card of an approved run', () => {
  it.each<[string, Omit<Made, 'as'>, Omit<Made, 'as'>, boolean]>([
    ['names other maintenance of its target', {}, { class: 'ddl' }, true],
    ['names a run on its table, of whatever class', { class: 'settings', relation: 'a/1' }, { relation: 'a/1' }, true],
    ['names no maintenance of another target', {}, { target: 'crm' }, false],
    ['names no signal', {}, { class: 'signal' }, false],
    ['names nothing where its class does not wait', { class: 'settings', relation: 'a/1' }, { relation: 'a/2' }, false],
  ])('%s as what it waits for', async (_, waiting, ahead, waits) => {
    const first = await make({ as: 'running', ...ahead });
    const shown = await read(await make({ as: 'approved', ...waiting }));
    expect(shown?.ahead).toBe(waits ? first : null);
  });

  it('names nothing once that has ended', async () => {
    await make({ as: 'succeeded' });
    expect((await read(await make({ as: 'approved' })))?.ahead).toBeNull();
  });
});

describe('the card of a run that follows another', () => {
  it.each(['undo', 'cleanup'] as const)('knows by the step that names its runbook that it is its %s', async (step) => {
    const steps: Step[] = [
      { step: 'act', sql: 'select' },
      { step, sql: 'select', runbook: 'next' },
    ];
    const first = await make({ as: 'succeeded', steps });
    expect((await read(await make({ as: 'proposed', runbook: 'next', follows: first })))?.followsAs).toBe(step);
    expect((await read(first))?.followsAs).toBeNull();
  });
});
