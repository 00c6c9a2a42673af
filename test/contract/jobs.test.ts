import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { jobs } from '../../jobs/index.ts';
import type { Server } from '../../src/demo/server.ts';
import { checkTarget } from '../../src/detect/check.ts';
import type { AnyJob } from '../../src/detect/job.ts';
import type { CheckResult } from '../../src/model.ts';
import { bind } from '../../src/remedy/bind.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/library.ts';
import { Reader } from '../../src/targets/reader.ts';
import { makeRowLockStorm, type Storm } from '../support/illness.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors, ownServer, server, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';

const folder = fileURLToPath(new URL('../../jobs', import.meta.url));
const files = readdirSync(folder);
const statementsOf = (job: string) =>
  files.filter((file) => file === `${job}.sql` || (file.startsWith(`${job}.`) && file.endsWith('.sql')));
const runbooks = await loadRunbooks(runbooksFolder);

/** Each statement, and the probe before them, may take the reader's 3 s and 2 s of grace; the rest is a busy machine. */
const boundMs = (job: AnyJob) => (statementsOf(job.name).length + 1) * 5_000 + 5_000;
const testMs = 60_000;

describe('the files of jobs', () => {
  it('are the jobs of the list, each named after itself', () => {
    const modules = files.filter((file) => /^[^.]+\.ts$/.test(file) && file !== 'index.ts');
    expect(modules.map((file) => file.slice(0, -3)).sort()).toEqual(jobs.map(({ name }) => name).sort());
    for (const { name } of jobs) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });

  it('hold no SQL that belongs to no job', () => {
    const known = jobs.flatMap(({ name }) => statementsOf(name));
    expect(files.filter((file) => file.endsWith('.sql')).sort()).toEqual(known.sort());
  });

  it.each(files.filter((file) => file.endsWith('.sql')))('%s begins with its question, and has a limit', (file) => {
    const [question = '', next = ''] = readFileSync(join(folder, file), 'utf8').split('\n');
    expect(question).toMatch(/^-- [A-Z].*\?$/);
    expect(next).not.toMatch(/^--/);
    expect(readFileSync(join(folder, file), 'utf8')).toMatch(/^\s*limit \d+/m);
  });
});

describe.each(jobs.map((job) => [job.name, job] as const))('%s', (_, job) => {
  it('names in its thresholds and measures what a person can read', () => {
    for (const one of Object.values<{ about: string }>(job.thresholds)) expect(one.about).toMatch(/\S{3}.*\.$/);
    for (const one of Object.values(job.measures)) expect(one.label).toMatch(/^[a-z]/);
  });

  it('is named by the runbooks that are for it, and they name no other', () => {
    const known = new Set(['manual', ...jobs.map(({ name }) => name)]);
    for (const runbook of runbooks.values())
      expect([...runbook.for].filter((name) => !known.has(name)), runbook.file).toEqual([]);
  });
});
