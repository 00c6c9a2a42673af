import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { jobs } from '../../jobs/index.ts';
import type { Server } from '../../src/demo/server.ts';
import type { AnyJob } from '../../src/detect/job.ts';
import { type CheckResult, isCovered, type Unjudged } from '../../src/model.ts';
import { bind } from '../../src/remedy/runbook/bind.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';
import { makeRowLockStorm } from '../support/illness.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, majors, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { jobFiles, jobsFolder, statementsOf, type Watch, watch } from './watch.ts';

const runbooks = await loadRunbooks(runbooksFolder);
const isSql = (file: string) => file.endsWith('.sql');

describe('the files of jobs', () => {
  it('are the jobs of the list, each named after itself', () => {
    const modules = jobFiles.filter((file) => /^[^.]+\.ts$/.test(file) && file !== 'index.ts');
    expect(modules.sort()).toEqual(jobs.map(({ name }) => `${name}.ts`).sort());
    for (const { name } of jobs) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });

  it('hold no SQL that belongs to no job', () => {
    expect(jobFiles.filter(isSql).sort()).toEqual(jobs.flatMap(({ name }) => statementsOf(name)).sort());
  });

  it.each(jobFiles.filter(isSql))('begin with the question that is answered, and end somewhere: %s', (file) => {
    const text = readFileSync(join(jobsFolder, file), 'utf8');
    const [question, next] = text.split('\n');
    expect(question).toMatch(/^-- [A-Z].*\?$/);
    expect(next).not.toMatch(/^--/);
    expect(text).toMatch(/^limit \d+$/m);
  });
});

describe.each(majors)('on PostgreSQL %i', (major) => {
  describe.each(['primary', 'standby'] as const)('on a %s', (node) => {
    let place: { server: Server; name: string };
    let fallIll: () => Promise<{ end(): Promise<unknown> }>;
    let illness: { end(): Promise<unknown> };
    let watching: Watch;

    beforeAll(async () => {
      const database = await createDatabase(major);
      place = node === 'primary' ? database : { server: await standby(major), name: 'postgres' };
      fallIll = () => (node === 'primary' ? makeRowLockStorm(database) : idleInTransaction(place.server));
    });
    failOnLeaks(() => place);
    beforeEach(async () => {
      illness = await fallIll();
    });
    afterEach(async () => {
      await watching.close();
      await illness.end();
    });

    describe.each(['postgres', 'monitor', 'plain'])('as %s', (role) => {
      it.each(jobs.map((job) => [job.name, job] as const))('%s keeps the contract', async (_, job) => {
        watching = watch(place.server.url(place.name, role));
        const [first, second] = [await watching.check(job), await watching.check(job)];
        expectSound(first, { job, database: place.name });
        expectOffersThatExist(first, { major, node });
        const again = second.findings.map(({ fingerprint }) => fingerprint);
        for (const { fingerprint } of first.findings) expect(again).toContain(fingerprint);
        // Catalogs are open to everybody; what sessions do is not.
        if (role === 'plain' && !isOpenToAll(job) && job.needs !== 'any-login') expectBlind(first);
        await expectNothingOpen(place.server, watching);
      });
    });
  });
});

/** Catalogs are open to everybody; what sessions do is not. */
function isOpenToAll({ name, scope }: AnyJob): boolean {
  return scope === 'database' || ['wraparound', 'prepared-transactions', 'wal-archiving'].includes(name);
}

/** An outcome says what it has to say, and nothing that contradicts it. */
function expectSound(result: CheckResult, { job, database }: { job: AnyJob; database: string }): void {
  const { outcome, findings, unjudged, reason } = result;
  expect(outcome, reason ?? '').not.toBe('error');
  expect(outcome === 'findings').toBe(findings.length > 0);
  expect(outcome === 'ok' && unjudged.length > 0).toBe(false);
  // A line about several databases names them; of what is not about databases each line is about the node.
  const isAbout = (one: Unjudged) => (one.database ?? `${one.reason},`).search(`${database}\\b`) >= 0;
  const blind = job.scope === 'database' ? unjudged.filter(isAbout) : unjudged;
  expect(isCovered(result.covered, { node: 'main', database })).toBe(blind.length === 0);
  for (const one of unjudged) expect([one.reason, one.remedy].every((text) => text.length > 5)).toBe(true);
  expect(new Set(findings.map(({ fingerprint }) => fingerprint)).size).toBe(findings.length);
  for (const finding of findings) {
    expect(finding).toMatchObject({ job: job.name, target: 'test', node: 'main' });
    for (const fact of Object.keys(job.measures)) expect(finding.facts).toHaveProperty(fact);
  }
}

function expectOffersThatExist({ job, findings }: CheckResult, on: { major: number; node: string }): void {
  for (const { name, params, does } of findings.flatMap((finding) => finding.runbooks)) {
    const runbook = runbooks.get(name);
    if (!runbook) throw new Error(`${job} offers ${name}, which does not exist`);
    expect(runbook.for, `${runbook.file} has to say that it is for ${job}`).toContain(job);
    expect(['any', on.node]).toContain(runbook.node);
    expect(bind(runbook, params, on.major * 10_000).length).toBeGreaterThan(2);
    expect(does).toMatch(/\.$/);
  }
}

/** Seeing nothing is not being well; and who isn't seen isn't offered. */
function expectBlind({ outcome, findings, unjudged }: CheckResult): void {
  expect(['cannot-judge', 'findings']).toContain(outcome);
  expect(unjudged.map(({ remedy }) => remedy)).toContain('grant pg_monitor to "plain";');
  expect(findings.flatMap((finding) => finding.runbooks)).toEqual([]);
}

async function expectNothingOpen(server: Server, watching: Watch): Promise<void> {
  const client = new pg.Client({ connectionString: server.url(), application_name: 'test-helper' });
  await client.connect();
  try {
    const [pid] = watching.pids();
    const { rows } = await client.query(
      `select state, xact_start, backend_xmin, (select count(*)::int from pg_locks l where l.pid = a.pid) as locks
       from pg_stat_activity a where pid = $1`,
      [pid],
    );
    expect(rows).toEqual([{ state: 'idle', xact_start: null, backend_xmin: null, locks: 0 }]);
    await watching.close();
    await until('the session to be gone', async () => {
      const { rows: left } = await client.query('select from pg_stat_activity where pid = $1', [pid]);
      return left.length === 0;
    });
  } finally {
    await client.end();
  }
}

/** All that can be wrong on a standby without its primary's doing. */
async function idleInTransaction(server: Server): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url(), application_name: 'test' });
  await client.connect();
  await client.query('begin isolation level repeatable read');
  await client.query('select from pg_class');
  return client;
}
