import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { runGuards } from '../../src/remedy/guards/guards.ts';
import type { Verdict } from '../../src/remedy/guards/verdict.ts';
import { findPlace } from '../../src/remedy/place.ts';
import type { Plan } from '../../src/remedy/plan.ts';
import { ActingSession, applicationName } from '../../src/remedy/session.ts';
import type { StoredRun } from '../../src/state/runs.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { openRemedy, planOf, type Remedy, type RemedyOptions } from '../support/remedy.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';

interface JudgeOptions {
  /** Another act, or other limits, than those of the plan that was made. */
  plan?: Partial<Plan>;
  remedy?: Pick<Remedy, 'context'>;
  /** What happens once our session is in. */
  meanwhile?(): unknown;
  /** A database for our session that is not the plan's. */
  into?: string;
}

/** A table of `app` with an index, and those who maintain it. */
export interface GuardWard {
  database: Database;
  state: Database;
  remedy: Remedy;
  /** Another one with a target of its own; closed after the test. */
  open(options?: Partial<RemedyOptions>): Promise<Remedy>;
  /** Closed after the test, whatever it is at. */
  session(user?: string, application?: string): Promise<pg.Client>;
  /** Asked for by name and approved: the rebuild of `shop.orders_idx`, if not of another one. */
  approved(index?: string, remedy?: Remedy): Promise<StoredRun>;
  /** What the guards say of a run just now. */
  judge(run: StoredRun, options?: JudgeOptions): Promise<Verdict[]>;
}

export const orders = `
  create schema shop authorization app;
  create table shop.orders (id integer primary key, status text);
  insert into shop.orders select n, 'new' from generate_series(1, 100) n;
  create index orders_idx on shop.orders (status);
  alter table shop.orders owner to app;`;

export function useGuardWard(major: number): GuardWard {
  const ward = {} as GuardWard;
  const open: { close(): Promise<unknown> }[] = [];
  let remedies = 0;
  beforeAll(async () => {
    [ward.database, ward.state] = [await createDatabase(major), await createDatabase(newest)];
  });
  failOnLeaks(() => ward.database);
  beforeEach(async () => {
    await ward.database.run(orders);
    ward.remedy = await ward.open();
  });
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
    await ward.database.run('drop schema shop cascade');
  });
  ward.open = async (options = {}) => {
    const { database, state } = ward;
    const remedy = await openRemedy({
      stateUrl: state.url(),
      monitorUrl: database.url('monitor'),
      signalUrl: database.url('actor'),
      actions: { maintain: database.url('keeper') },
      targets: [`shop-${major}-${++remedies}`],
      ...options,
    });
    open.push(remedy);
    return remedy;
  };
  ward.session = async (user = 'app', application = 'test') => {
    const client = await ward.database.client(user, application);
    open.push({ close: () => endSession(ward.database, client) });
    return client;
  };
  ward.approved = (index = 'shop.orders_idx', remedy = ward.remedy) => approved(remedy, index);
  ward.judge = (run, options = {}) => judge(run, { remedy: ward.remedy, ...options });
  return ward;
}

export async function approved(remedy: Remedy, index: string): Promise<StoredRun> {
  const run = await remedy.ask('reindex-index-concurrently', { index });
  expect((await remedy.approve(run)).decision).toBe('approved');
  return run;
}

/** Of the act alone, which must hold at any moment and needs no precondition. */
export function acting(sql: string, undo?: string): Partial<Plan> {
  const steps: Plan['steps'] = [
    { step: 'precondition', sql: 'select 1' },
    { step: 'act', sql },
  ];
  return { steps: undo === undefined ? steps : [...steps, { step: 'undo', sql: undo, runbook: 'recreate' }] };
}

/** Why the guards refuse, or null. */
export function refusalOf(verdicts: readonly Verdict[]): string | null {
  return verdicts.find(({ ok }) => !ok)?.says ?? null;
}

export function saysOf(verdicts: readonly Verdict[]): string[] {
  return verdicts.map(({ says }) => says);
}

/** As executing does, on a session of its own, without claiming the run. */
export async function judge(
  run: StoredRun,
  { remedy, plan: changed, meanwhile, into }: JudgeOptions & Required<Pick<JudgeOptions, 'remedy'>>,
): Promise<Verdict[]> {
  const { context } = remedy;
  const plan = { ...planOf(run), ...changed };
  const place = findPlace(context, plan);
  if (typeof place === 'string') throw new Error(place);
  const session = await ActingSession.open(place.url, applicationName(run.id), into ?? plan.database);
  try {
    await meanwhile?.();
    return await runGuards({ context, run, plan, ...place, session });
  } finally {
    await session.close();
  }
}

async function endSession(database: Database, client: pg.Client): Promise<void> {
  const { processID } = client as unknown as { processID: number };
  await database.run('select pg_terminate_backend($1)', [processID]);
  await client.end();
}
