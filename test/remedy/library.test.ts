import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, test } from 'vitest';
import { loadLibrary, loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';
import { runbook } from './sample-runbook.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'my-runbooks-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, more = '', params = '{}'): void {
  const head = `title: x\nfor: [manual]\nrisk: low\nclass: ddl\nnode: any\nparams: ${params}\nlocks: none`;
  const limits = 'stop_when: never\nundo: none\ntimeouts: { statement: 2s, lock: 0, verify: 2s }';
  const steps = ['precondition', 'act', 'verify'].map((step) => `\`\`\`sql ${step}\nselect true\n\`\`\``);
  writeFileSync(join(folder, `${name}.md`), ['---', head, limits, '---', ...steps, more].join('\n'));
}

const asking = (runbook: string, columns: string) =>
  `\`\`\`sql cleanup runbook=${runbook}\nselect ${columns} from pg_class c\n\`\`\``;

it('holds ours alone, or those of the folder beside ours', async () => {
  const ours = await loadRunbooks(runbooksFolder);
  expect([...(await loadLibrary(null)).keys()]).toEqual([...ours.keys()]);
  write('my-own');
  expect([...(await loadLibrary(folder)).keys()]).toEqual([...ours.keys(), 'my-own']);
});

it('refuses a name that ours has, and says so', async () => {
  write('cancel-query');
  await expect(loadLibrary(folder)).rejects.toMatchObject({
    code: 'runbook-invalid',
    message: `${folder}/cancel-query.md:1: pgorderly comes with a runbook cancel-query; give this one another name`,
  });
});

it('refuses a folder that is not there', async () => {
  await expect(loadLibrary(join(folder, 'none'))).rejects.toMatchObject({
    code: 'runbook-invalid',
    message: `the folder of runbooks ${join(folder, 'none')} cannot be read (ENOENT)`,
  });
});

const columns = 'n as index_schema, n as index_name, o as index_oid, f as index_file, t as index_table';

test.each([
  ['that is there and takes its columns', 'reindex-index-concurrently', columns, null],
  ['of the same folder', 'tidy-up', "'a' as what", null],
  ['whose columns only the server can name', 'tidy-up', 'c.*', null],
  ['that is not there', 'tidy-upp', "'a' as what", '22: there is no runbook tidy-upp; did you mean "tidy-up"?'],
  ['without one of its variables', 'tidy-up', '', '22: the cleanup has no column what, which tidy-up takes'],
  [
    'with a column that it does not take',
    'reindex-index-concurrently',
    `${columns}, 1 as least`,
    '22: the cleanup has a column least; reindex-index-concurrently takes index_schema, index_name, index_oid, index_file, index_table',
  ],
  ['with a column twice', 'tidy-up', "'a' as what, 'b' as what", '22: the cleanup has two columns what'],
])('reads a cleanup by a runbook %s', async (_, then, select, problem) => {
  const params = '{ what: { type: text, default: x, about: x } }';
  write('tidy-up', "```sql progress\nselect :'what'\n```", params);
  write('my-own', asking(then, select));
  const problems = await loadLibrary(folder).then(
    () => null,
    (error: Error) => error.message,
  );
  expect(problems).toBe(problem && `${folder}/my-own.md:${problem}`);
});

it('reads our own runbooks', async () => {
  const found = await loadRunbooks(runbooksFolder);
  expect([...found.keys()]).toEqual([
    'cancel-query',
    'cancel-queued-ddl',
    'drop-index-concurrently',
    'drop-invalid-index',
    'recreate-dropped-index',
    'reindex-index-concurrently',
    'terminate-session',
    'vacuum-table',
  ]);
  expect(found.get('terminate-session')?.risk).toBe('medium');
});

it('reads every .md but the README', async () => {
  writeFileSync(join(folder, 'README.md'), 'no runbook');
  writeFileSync(join(folder, 'end-it.md'), runbook());
  expect([...(await loadRunbooks(folder)).keys()]).toEqual(['end-it']);
});

it('refuses to load with every problem of every file', async () => {
  writeFileSync(join(folder, 'a.md'), runbook({ risk: '' }));
  writeFileSync(join(folder, 'B c.md'), runbook());
  const error = await loadRunbooks(folder).catch((error) => error);
  expect(error).toMatchObject({ code: 'runbook-invalid' });
  expect(error.message).toMatch(/\/B c\.md:1: the name "B c" must be .*\n.*\/a\.md:2: risk is missing/);
});
