import type pg from 'pg';
import { afterEach, expect } from 'vitest';
import { lockChains } from '../../jobs/lock-chains.ts';
import type { CheckResult, Finding } from '../../src/model.ts';
import type { Reader } from '../../src/targets/reader.ts';
import { readTruth, rootsIn, type Truth, victimsIn } from '../support/lock-truth.ts';
import type { Database } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkJob, pidOf } from './check-job.ts';

/** Where sessions are opened and checked. */
export type Place = Pick<Database, 'client' | 'url' | 'run'>;

export interface Waiter {
  pid: number;
  blockedBy: number[];
  waitSeconds: number | null;
  mode: string;
  object: string;
}

interface Look {
  /** So many sessions wait. */
  waiting?: number;
  /** Of a parallel query, whose workers wait. */
  leader?: pg.Client;
  /** A warm connection. */
  reader?: Reader;
}

const everything = { minWaitSeconds: 0, criticalWaitSeconds: 3600, criticalVictims: 500 };
const byNumber = (pids: Iterable<number>) => [...pids].sort((a, b) => a - b);

/** Sessions that hold locks and wait for them, ended after each test. */
export class LockScene {
  private readonly place: () => Place;
  private clients: pg.Client[] = [];
  private asked: Promise<unknown>[] = [];

  constructor(place: () => Place) {
    this.place = place;
    afterEach(() => this.end());
  }

  /** Elsewhere than in the scene's own database, or as somebody else: `on`. */
  async session(statements: string[], on: Pick<Place, 'client'> = this.place()): Promise<pg.Client> {
    const client = await on.client();
    this.clients.push(client);
    await client.query("set deadlock_timeout = '1h'");
    for (const statement of statements) await client.query(statement);
    return client;
  }

  /** In a transaction that stays open. */
  holder(...statements: string[]): Promise<pg.Client> {
    return this.session(['begin', ...statements]);
  }

  /** A session whose last statement has to wait; returns once it does. */
  async waiter(...statements: string[]): Promise<pg.Client> {
    const client = await this.session(statements.slice(0, -1));
    await this.waits(client, statements.at(-1) ?? '');
    return client;
  }

  async waits(client: pg.Client, statement: string): Promise<void> {
    const answers: unknown[] = [];
    this.ask(client, statement).then((answer) => answers.push(answer));
    const isAnswered = () => answers.length > 0;
    await until(`${statement} to wait`, async () => isAnswered() || (await this.waiting()).includes(pidOf(client)));
    if (isAnswered()) throw new Error(`${statement} did not wait`, { cause: answers[0] });
  }

  ask(client: pg.Client, statement: string): Promise<unknown> {
    const answer = client.query(statement).catch((error) => error);
    this.asked.push(answer);
    return answer;
  }

  /** Has the job look when nothing moves, and holds the roots and victims it names against pg_blocking_pids. */
  async look({ waiting, leader, reader }: Look = {}): Promise<Finding[]> {
    const { truth, findings } = await until('nothing to move', async () => {
      const before = await this.truth(leader);
      const result = await this.check(reader);
      expect(result.outcome, result.reason ?? '').not.toBe('error');
      const isStill = textOf(before) === textOf(await this.truth(leader));
      return isStill && before.size === (waiting ?? before.size) && { truth: before, findings: result.findings };
    });
    expectTruth(findings, truth);
    return findings;
  }

  check(reader?: Reader): Promise<CheckResult> {
    return checkJob(lockChains, this.place(), { thresholds: everything, ...(reader && { reader }) });
  }

  async cancel(client: pg.Client): Promise<void> {
    await this.place().run('select pg_cancel_backend($1)', [pidOf(client)]);
  }

  private truth(leader: pg.Client | undefined): Promise<Truth> {
    const pids = this.clients.map(pidOf);
    return readTruth((sql) => this.place().run(sql), { pids, leader: leader ? pidOf(leader) : null });
  }

  private async waiting(): Promise<number[]> {
    const { rows } = await this.place().run('select distinct pid from pg_locks where not granted');
    return rows.map(({ pid }) => pid);
  }

  private async end(): Promise<void> {
    const pids = this.clients.map(pidOf);
    await this.place().run('select pg_terminate_backend(pid) from pg_stat_activity where pid = any ($1)', [pids]);
    await Promise.allSettled(this.asked);
    await Promise.allSettled(this.clients.map((client) => client.end()));
    this.clients = [];
    this.asked = [];
    await until('nobody to wait', async () => (await this.waiting()).length === 0);
  }
}

export function waitersOf(finding: Finding | undefined): Waiter[] {
  return (finding?.facts['waiters'] ?? []) as Waiter[];
}

/** A backend's pid, or a prepared transaction's gid. */
export function rootOf({ subject }: Finding): number | string {
  if (subject.kind === 'backend') return subject.pid;
  if (subject.kind === 'prepared-transaction') return subject.gid;
  throw new Error(`a ${subject.kind} holds no lock`);
}

export function findingOf(findings: readonly Finding[], root: pg.Client): Finding {
  const finding = findings.find((one) => rootOf(one) === pidOf(root));
  if (!finding) throw new Error(`pid ${pidOf(root)} is no root of ${findings.map(rootOf).join(', ') || 'nothing'}`);
  return finding;
}

/** All prepared transactions are one to pg_blocking_pids: 0. */
function expectTruth(findings: readonly Finding[], truth: Truth): void {
  const pidIn = (finding: Finding) => (finding.subject.kind === 'backend' ? finding.subject.pid : 0);
  expect(byNumber(new Set(findings.map(pidIn)))).toEqual(rootsIn(truth));
  for (const root of rootsIn(truth)) {
    const waiters = findings.filter((one) => pidIn(one) === root).flatMap(waitersOf);
    expect(byNumber(new Set(waiters.map(({ pid }) => pid)))).toEqual(victimsIn(truth, root));
    for (const { pid, blockedBy } of waiters) {
      expect(blockedBy.length).toBeGreaterThan(0);
      expect(byNumber(truth.get(pid) ?? [])).toEqual(expect.arrayContaining(blockedBy));
    }
  }
}

function textOf(truth: Truth): string {
  return JSON.stringify([...truth].map(([pid, blockers]) => [pid, byNumber(blockers)]));
}
