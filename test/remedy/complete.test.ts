import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { complete } from '../../src/remedy/complete.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';
import { parseRunbook, type Runbook } from '../../src/remedy/runbook/runbook.ts';
import { Reader } from '../../src/targets/reader.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';

const ours = await loadRunbooks(runbooksFolder);

function runbookOf(params: string, used: string): Runbook {
  const { runbook, problems } = parseRunbook(
    `---
title: x
for: [manual]
risk: low
class: ddl
node: any
params: ${params}
locks: none
stop_when: never
undo: none
timeouts: { statement: 2s, lock: 0, verify: 2s }
---
${['precondition', 'act', 'verify'].map((step) => `\`\`\`sql ${step}\nselect ${used}\n\`\`\``).join('\n')}
`,
    'runbooks/x.md',
  );
  if (!runbook) throw new Error(problems.join('\n'));
  return runbook;
}

describe('what a person typed', () => {
  let database: Database;
  let reader: Reader;
  beforeAll(async () => {
    database = await createDatabase(newest);
    await database.run(`create table "${'x'.repeat(63)}" (id integer primary key)`);
  });
  failOnLeaks(() => database);
  beforeEach(() => {
    reader = new Reader({ name: 'primary', url: database.url('monitor') });
  });
  afterEach(() => reader.close());

  const typed = (runbook: Runbook | undefined, values: Record<string, string>, inside: string | null = null) => {
    if (!runbook) throw new Error('no such runbook');
    return complete(reader, { runbook, typed: values, database: inside });
  };
  const reindex = ours.get('reindex-index-concurrently');
  const settings = runbookOf(
    '{ pace: { type: enum, values: [slow, fast], default: slow, about: x }, limit: { type: duration, about: x } }',
    ":'pace', :'limit'",
  );

  it('is completed by defaults', async () => {
    const { params } = await typed(settings, { limit: '5min' });
    expect(params).toEqual({ pace: 'slow', limit: '5min' });
    expect((await typed(settings, { limit: '1h', pace: 'fast' })).params).toEqual({ pace: 'fast', limit: '1h' });
  });

  it.each<[string, Record<string, string>, string]>([
    ['what is missing', {}, 'x: limit is missing, expected a duration such as 100ms, 2s, 5min, 12h or 7d'],
    [
      'what is wrong',
      { limit: '5', pace: 'medium' },
      'x: pace is "medium", expected one of slow, fast; limit is "5", exp',
    ],
    ['what is unknown', { limit: '5s', pcae: 'fast' }, 'x: "pcae" is not one of its parameters; did you mean "pace"?'],
    ['the names that objects have', { limit: '5s', constructor: 'x' }, 'x: "constructor" is not one of its'],
  ])('is told %s, before the server is asked', async (_, values, message) => {
    const attempt = typed(settings, values);
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toMatchObject({
      code: 'param-invalid',
      hint: 'It takes [pace=<slow|fast>] limit=<duration>.',
    });
    expect(reader.pids()).toEqual([]);
  });

  it.each<[Record<string, string>, string]>([
    [{}, 'reindex-index-concurrently: index is missing, expected the name of a relation with its schema'],
    [{ indx: 'a.b' }, '"indx" is not one of its parameters; did you mean "index"?'],
    [{ index_oid: '1' }, 'index_schema is missing, expected a name of 1 to 63 bytes; index_name is missing'],
    [{ index: 'a.b', index_oid: '1' }, '"index_oid" is not one of its parameters'],
    [{ index: 'orders_idx' }, '"orders_idx" is not the name of a relation with its schema'],
    [{ index: 'a.b.c' }, '"a.b.c" is not the name of a relation with its schema'],
    [{ index: 'public."a' }, '"public."a" is not the name of a relation with its schema'],
    [{ index: '' }, '"" is not the name of a relation with its schema'],
  ])('about a relation as %j is told what is wrong with it', async (values, message) => {
    await expect(typed(reindex, values)).rejects.toThrow(message);
  });

  it('is never about a relation whose name is only as long as PostgreSQL keeps', async () => {
    const kept = 'x'.repeat(63);
    expect((await typed(reindex, { index: `public.${kept}` })).about).toBe(`public.${kept} in ${database.name}`);
    for (const index of [`public.${kept}y`, `public."${kept} "`])
      await expect(typed(reindex, { index })).rejects.toThrow(`${database.name} has no ${index.slice(0, 60)}`);
  });

  it('is read in the database that it says, and that is planned for also when all is typed', async () => {
    await database.run('create table "Orders" (id integer constraint "Orders ""Key""" primary key)');
    const elsewhere = new Reader({ name: 'primary', url: database.server.url('postgres', 'monitor') });
    const index = 'public."Orders ""Key"""';
    const runbook = reindex as Runbook;
    const found = await complete(elsewhere, { runbook, typed: { index }, database: database.name });
    expect(found).toMatchObject({ database: database.name, params: { index_name: 'Orders "Key"' } });
    const again = await complete(elsewhere, { runbook, typed: found.params, database: null });
    expect(again).toMatchObject({ database: 'postgres', params: found.params });
    await elsewhere.close();
  });

  it('about a session is what it is at: its transaction, or its statement too', async () => {
    const client = await database.client('app');
    await client.query('begin; select 1');
    const { rows } = await client.query('select pg_backend_pid()::text as pid');
    const pid = rows[0].pid as string;
    const ended = await typed(ours.get('terminate-session'), { pid });
    expect(Object.keys(ended.params).sort()).toEqual(['backend_start', 'least_waiters', 'pid', 'xact_start']);
    expect(ended.params['least_waiters']).toBe('0');
    const { params } = await typed(ours.get('cancel-query'), { pid, xact_start: '1' });
    expect(params).toMatchObject({ pid, xact_start: '1', query_start: expect.stringMatching(/^\d{16}$/) });
    await client.query('commit');
    await expect(typed(ours.get('terminate-session'), { pid })).rejects.toThrow(
      `pid ${pid} has no xact_start: it is idle`,
    );
    await expect(typed(ours.get('cancel-query'), {})).rejects.toThrow('cancel-query: its pid is missing');
    await expect(typed(ours.get('cancel-query'), { pid: '1x' })).rejects.toThrow('pid is "1x", expected an integer');
  });

  it('as a duration is the same to a setting and to an interval, and an LSN is one to the server', async () => {
    for (const [value, seconds] of Object.entries({
      '0': 0,
      '1500 us': 0.0015,
      '250ms': 0.25,
      '90s': 90,
      '5 min': 300,
    })) {
      await database.run(`select set_config('statement_timeout', $1, false)`, [value]);
      const { rows } = await database.run(
        `select extract(epoch from current_setting('statement_timeout')::interval)::float8 as setting,
           extract(epoch from $1::interval)::float8 as interval`,
        [value],
      );
      // The setting is in whole milliseconds.
      expect(rows[0]).toEqual({ setting: value === '1500 us' ? 0.002 : seconds, interval: seconds });
    }
    const { rows } = await database.run(
      "select 'ffffFFFF/0'::pg_lsn::text as lsn, set_config('statement_timeout', '0', false)",
    );
    expect(rows[0].lsn).toBe('FFFFFFFF/0');
  });
});
