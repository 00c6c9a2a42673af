import { afterEach, beforeAll, expect } from 'vitest';
import { newRun, planBest } from '../../src/remedy/propose.ts';
import { readFiringOf } from '../../src/state/alerts.ts';
import { insertRun, readRun, type StoredRun } from '../../src/state/runs.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { approver, openRemedy, type Remedy } from '../support/remedy.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';

export interface RelationWard {
  /** The watched database, in which `keeper` has the rights of `app`. */
  database: Database;
  /** Closed after the test; its target is its own. The login of `maintain` and `ddl` runs may be another one. */
  open(login?: string): Promise<Remedy>;
  /** What a job proposes by itself about this database, after a check with all thresholds at zero. */
  proposedBy(remedy: Remedy, job: string): Promise<StoredRun[]>;
  /** As a line of a report is asked for, which nothing proposes by itself. */
  askReported(remedy: Remedy, about: { job: string; object: string }): Promise<StoredRun>;
}

/** What the tests of runbooks about a relation need on one major; declares the hooks that make it and clean it up. */
export function useRelationWard(major: number): RelationWard {
  const ward = {} as RelationWard;
  const open: Remedy[] = [];
  let state: Database;
  let remedies = 0;
  beforeAll(async () => {
    [ward.database, state] = [await createDatabase(major), await createDatabase(newest)];
    await ward.database.run('grant create on schema public to app');
  });
  failOnLeaks(() => ward.database);
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });
  ward.open = async (login = 'keeper') => {
    const { database } = ward;
    const remedy = await openRemedy({
      stateUrl: state.url(),
      monitorUrl: database.url('monitor'),
      signalUrl: database.url('actor'),
      actions: { maintain: database.url(login), ddl: database.url(login) },
      targets: [`shop-${major}-${++remedies}`],
    });
    open.push(remedy);
    return remedy;
  };
  ward.proposedBy = async (remedy, job) => {
    const runs = await remedy.propose(job);
    return runs.filter(({ plan }) => JSON.parse(plan).database === ward.database.name);
  };
  ward.askReported = async (remedy, { job, object }) => {
    expect(await ward.proposedBy(remedy, job)).toEqual([]);
    const { context } = remedy;
    const target = [...context.targets.keys()][0] ?? '';
    const alerts = await readFiringOf(context.pool, target, [job]);
    const alert = alerts.find(({ finding }) => finding.fingerprint === `${ward.database.name}.public.${object}`);
    const best = alert && (await planBest(context, alert.id, alert.finding));
    if (!best) throw new Error(`${job} offers nothing for ${object}`);
    const asked = { does: best.offer.does, alertId: alert.id, askedBy: approver, follows: null, trace: null };
    return readStored(remedy, await insertRun(context.pool, newRun(best.plan, best, asked)));
  };
  return ward;
}

export async function readStored(remedy: Remedy, id: number | null): Promise<StoredRun> {
  const found = id === null ? null : await readRun(remedy.context.pool, id);
  if (!found) throw new Error(`there is no run R-${id}`);
  return found;
}

/** Approves it, and shows that it was refused for that reason before anything was sent. */
export async function expectRefusedBefore(remedy: Remedy, run: StoredRun, why: RegExp): Promise<void> {
  expect((await remedy.approve(run)).decision).toBe('approved');
  const ended = await remedy.execute(run);
  expect(ended).toMatchObject({ state: 'refused', sentAt: null });
  expect(ended.outcome).toMatch(why);
}
