import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { jobs } from '../../jobs/index.ts';
import { codeOf } from '../../src/errors.ts';
import { bind } from '../../src/remedy/runbook/bind.ts';
import type { Fence } from '../../src/remedy/runbook/fences.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';
import { choicesOf, variablesOf } from '../../src/remedy/runbook/params.ts';
import { scan } from '../../src/remedy/runbook/psql.ts';
import type { Runbook } from '../../src/remedy/runbook/runbook.ts';
import { makeRowLockStorm, type Storm } from '../support/illness.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { psqlAvailable, runPsql } from '../support/psql.ts';
import { createDatabase, type Database, sampled } from '../support/servers.ts';
import { jobFiles, jobsFolder } from './watch.ts';

const runbooks = [...(await loadRunbooks(runbooksFolder)).values()];

const samples: Readonly<Record<ReturnType<typeof typesOf>[string], string>> = {
  integer: '4711',
  oid: '4711',
  definition: 'create index concurrently of_orders on public.orders using btree (id)',
  microseconds: '1763700000123456',
  text: "it's",
  duration: '5min',
  lsn: '16/B374D848',
  enum: '',
  identifier: 'orders',
};

const hostile = [
  "'; drop table orders; --",
  "' or true --",
  '"; drop table orders; --',
  "\\'; drop table orders; --",
  '$$; drop table orders; $$',
  "1'::int or 1 = 1 --",
  ":'pid'",
  '\\! true',
  '/* ',
  '1e3',
  '0x10',
  '１２',
  '\n',
  'a\0b',
  '\ud800',
  'x'.repeat(10_000),
];

describe.each(runbooks.map((runbook) => [runbook.name, runbook] as const))('%s', (_, runbook) => {
  it('is offered by the jobs that it is for, or by hand', () => {
    expect(runbook.for.length).toBeGreaterThan(0);
    for (const name of runbook.for.filter((one) => one !== 'manual')) {
      expect(jobs.map((job) => job.name)).toContain(name);
      expect(sourceOf(name), `no file of ${name} offers ${runbook.name}`).toContain(`name: '${runbook.name}'`);
    }
  });

  it.each([12, 13, 14, 15, 16, 17, 18, 19])('has all that a run on PostgreSQL %i needs', (major) => {
    const steps = bind(runbook, sampleOf(runbook), major * 10_000);
    expect(steps.map(({ step }) => step)).toEqual(expect.arrayContaining(['precondition', 'act', 'verify']));
  });

  it.each(Object.keys(typesOf(runbook)))('takes no hostile value for %s as SQL', (name) => {
    const usual = shapeOf(runbook, sampleOf(runbook));
    const taken = hostile.filter((value) => {
      const shape = shapeOf(runbook, { ...sampleOf(runbook), [name]: value });
      if (shape) expect(shape).toEqual(usual);
      return shape !== null;
    });
    const type = typesOf(runbook)[name] ?? '';
    if (type !== 'text' && type !== 'identifier') expect(taken).toEqual([]);
  });
});

describe.each(sampled)('on PostgreSQL %i', (major) => {
  let database: Database;
  let storm: Storm;
  let client: pg.Client;

  beforeAll(async () => {
    database = await createDatabase(major);
  });
  failOnLeaks(() => database);
  beforeEach(async () => {
    storm = await makeRowLockStorm(database);
    client = await database.client('actor');
  });
  afterEach(async () => {
    await client.end();
    await storm.end();
  });

  const fences = runbooks.flatMap((runbook) =>
    fencesOf(runbook, major).map((fence) => [`${runbook.name}'s ${fence.step}`, runbook, fence] as const),
  );

  it.each(fences)('%s is one statement', async (_, runbook, { step, at }) => {
    // The extended protocol takes no second one; so parsed, nothing is carried out.
    const name = `one_${step}`;
    const sql = boundOf(runbook, sampleOf(runbook), { step, at });
    const isUtility = !/^\s*(select|with|insert|update|delete|values)\b/i.test(sql);
    if (isUtility) expect([...scan(sql)].filter(({ kind }) => kind === 'semicolon')).toEqual([]);
    else await client.query(`prepare ${name} as ${sql}`);
  });

  it.runIf(psqlAvailable()).each(fences)('%s is in psql what we send, to the byte', async (_, runbook, fence) => {
    const told = [sampleOf(runbook), ...(await waiterParams(runbook, fence.step))];
    for (const variables of told) {
      const bound = boundOf(runbook, variables, fence);
      const said = await runPsql(database.url('actor'), { sql: rawFence(runbook, fence.line), variables });
      expect(said).toBe(`${bound}\n${await answerTo(bound)}`);
    }
  });

  function boundOf(runbook: Runbook, variables: Record<string, string>, { step, at }: { step: string; at: number }) {
    return bind(runbook, variables, major * 10_000).filter((one) => one.step === step)[at]?.sql ?? '';
  }

  /** A session that a precondition holds for, where the runbook is about one; an act would change what comes next. */
  async function waiterParams(runbook: Runbook, step: string): Promise<Record<string, string>[]> {
    if (!Object.hasOwn(typesOf(runbook), 'pid') || step === 'act') return [];
    const { rows } = await database.run(
      `select pid::text, (extract(epoch from backend_start) * 1000000)::bigint::text as backend_start,
         (extract(epoch from xact_start) * 1000000)::bigint::text as xact_start,
         (extract(epoch from query_start) * 1000000)::bigint::text as query_start, '0' as least_waiters
       from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' limit 1`,
    );
    const params = Object.fromEntries(Object.keys(typesOf(runbook)).map((name) => [name, rows[0][name]]));
    const bound = bind(runbook, params, major * 10_000).find((one) => one.step === 'precondition');
    expect((await client.query(bound?.sql ?? '')).rows).toHaveLength(1);
    return [params];
  }

  /** As psql prints it: the columns as the server's own text, or the SQLSTATE. */
  async function answerTo(sql: string): Promise<string> {
    const types = { getTypeParser: () => (value: string) => value };
    try {
      const { rows } = await client.query<string[]>({ text: sql, rowMode: 'array', types: types as never });
      return rows.map((row) => `${row.map((value) => value ?? '').join('|')}\n`).join('');
    } catch (error) {
      return codeOf(error) ?? 'no code';
    }
  }
});

/** Those that a server of this major is asked, and which of its step each is. */
function fencesOf({ fences }: Runbook, major: number): (Fence & { at: number })[] {
  const fitting = fences.filter(({ versions }) => versions.from <= major && major <= versions.to);
  const ofStep = (step: string) => fitting.filter((fence) => fence.step === step);
  return fitting.flatMap((fence) => {
    const highest = Math.max(...ofStep(fence.step).map(({ versions }) => versions.from));
    const used = ofStep(fence.step).filter(({ versions }) => versions.from === highest);
    return used.includes(fence) ? [{ ...fence, at: used.indexOf(fence) }] : [];
  });
}

function sampleOf(runbook: Runbook): Record<string, string> {
  return Object.fromEntries(
    Object.entries(typesOf(runbook)).map(([name, type]) => [name, choicesOf(runbook.params, name)[0] ?? samples[type]]),
  );
}

function typesOf({ params }: Runbook) {
  return Object.fromEntries(variablesOf(params));
}

/** What is left of the bound steps without their strings and names; null where the values are refused. */
function shapeOf(runbook: Runbook, params: Record<string, string>): string[] | null {
  try {
    return bind(runbook, params, 180_000).map(({ sql }) =>
      [...scan(sql)].map(({ text }) => (/^(?:[eE]?'|")/.test(text) ? '?' : text.replace(/^\s+$/, ' '))).join(''),
    );
  } catch (error) {
    expect(error).toMatchObject({ code: 'param-invalid' });
    return null;
  }
}

function sourceOf(job: string): string {
  const files = jobFiles.filter((file) => file.startsWith(`${job}.`) && file.endsWith('.ts'));
  return files.map((file) => readFileSync(join(jobsFolder, file), 'utf8')).join('\n');
}

/** The fence as it stands in the file. */
function rawFence(runbook: Runbook, line: number): string {
  const lines = readFileSync(join(runbooksFolder, `${runbook.name}.md`), 'utf8').split('\n');
  const end = lines.findIndex((text, index) => index >= line && text.startsWith('```'));
  return lines.slice(line, end).join('\n');
}
