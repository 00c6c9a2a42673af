import type pg from 'pg';
import { afterEach, beforeAll, expect } from 'vitest';
import { codeOf } from '../../src/errors.ts';
import { sqlOf } from '../../src/remedy/plan.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';
import { variablesOf } from '../../src/remedy/runbook/params.ts';
import type { StoredRun } from '../../src/state/runs.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { openRemedy, planOf, type Remedy, type RemedyOptions } from '../support/remedy.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { until } from '../support/wait.ts';

/** A session that a runbook is for. */
export interface Patient {
  client: pg.Client;
  pid: number;
  /** SQLSTATE with which its statement ended, or null where that came through. */
  ended: Promise<string | null>;
}

/** Makes one that is ready to be signalled, as that role and application. */
export type Sicken = (user?: string, application?: string) => Promise<Patient>;

export interface Ward {
  /** The watched server, and the one with the bot's own database. */
  database: Database;
  state: Database;
  /** Closed after the test; each has targets of its own, since signals are counted by target. */
  open(options?: Partial<RemedyOptions>): Promise<Remedy>;
  /** Closed after the test. */
  session(user?: string, application?: string): Promise<pg.Client>;
  activity(pid: number): Promise<{ state: string; waitEvent: string | null } | undefined>;
}

/** What the tests of a signal runbook need on one major; declares the hooks that make it and clean it up. */
export function useWard(major: number): Ward {
  const ward = {} as Ward;
  const open: { close(): Promise<unknown> }[] = [];
  let remedies = 0;
  beforeAll(async () => {
    ward.database = await createDatabase(major);
    ward.state = await createDatabase(newest);
    await ward.database.run('create table orders (id integer primary key, status text)');
    await ward.database.run("insert into orders values (1, 'new')");
    await ward.database.run('alter table orders owner to app');
  });
  failOnLeaks(() => ward.database);
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });
  ward.open = async (options = {}) => {
    const { database, state } = ward;
    const urls = { stateUrl: state.url(), monitorUrl: database.url('monitor'), signalUrl: database.url('actor') };
    const remedy = await openRemedy({ ...urls, targets: [`shop-${major}-${++remedies}`], ...options });
    open.push(remedy);
    return remedy;
  };
  ward.session = async (user = 'app', application = 'test') => {
    const client = await ward.database.client(user, application);
    open.push({ close: () => endSession(ward.database, client) });
    return client;
  };
  ward.activity = (pid) => readActivity(ward.database, pid);
  return ward;
}

/** SQLSTATE with which a statement ends, or null. */
export function endOf(statement: Promise<unknown>): Promise<string | null> {
  return statement.then(
    () => null,
    (error) => codeOf(error) ?? 'lost',
  );
}

export function pidOf(client: object): number {
  return (client as { processID: number }).processID;
}

/** What identifies a session, its transaction and its statement just now, as far as the runbook asks for it. */
export async function paramsOf(
  database: Pick<Database, 'run'>,
  runbook: string,
  pid: number,
): Promise<Record<string, string>> {
  const { rows } = await database.run(
    `select pid::text, (extract(epoch from backend_start) * 1000000)::bigint::text as backend_start,
       coalesce((extract(epoch from xact_start) * 1000000)::bigint, 1)::text as xact_start,
       coalesce((extract(epoch from query_start) * 1000000)::bigint, 1)::text as query_start, '0' as least_waiters
     from pg_stat_activity where pid = $1`,
    [pid],
  );
  const wanted = variablesOf((await loadRunbooks(runbooksFolder)).get(runbook)?.params ?? {});
  return Object.fromEntries([...wanted.keys()].map((name) => [name, rows[0][name]]));
}

/** Executes an approved run, and shows that it was refused for that reason before anything was sent. */
export async function expectRefused(remedy: Remedy, run: StoredRun, why: RegExp): Promise<void> {
  const ended = await remedy.execute(run);
  expect(ended).toMatchObject({ state: 'refused', sentAt: null });
  expect(ended.outcome).toMatch(why);
}

/** The act finds nobody by itself, even with a superuser's power and no guard before it. */
export async function expectNobodyHit(database: Pick<Database, 'run'>, run: StoredRun): Promise<void> {
  const { rows } = await database.run(sqlOf(planOf(run), 'act') ?? '');
  expect(rows).toEqual([]);
}

export async function waitForState(ward: Ward, pid: number, state: string): Promise<void> {
  await until(`pid ${pid} to be ${state}`, async () => (await ward.activity(pid))?.state === state);
}

/** A statement under way would go on without its client. */
async function endSession(database: Database, client: pg.Client): Promise<void> {
  await database.run('select pg_terminate_backend($1)', [pidOf(client)]);
  await client.end();
}

async function readActivity(database: Database, pid: number) {
  const { rows } = await database.run('select state, wait_event as "waitEvent" from pg_stat_activity where pid = $1', [
    pid,
  ]);
  return rows[0] as Awaited<ReturnType<Ward['activity']>>;
}
