import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkRunbooks } from '../../src/cli/runbooks.ts';
import { runbooksFolder } from '../../src/remedy/runbook/library.ts';
import { env, minimal } from '../config/sample.ts';
import { pgorderly } from '../support/command.ts';

let folder: string;
let own: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgorderly-own-'));
  own = join(folder, 'remedies');
  mkdirSync(own);
  writeFileSync(join(folder, 'pgorderly.yaml'), `${minimal}runbooks: ./remedies\n`);
});
afterEach(() => rmSync(folder, { recursive: true }));

const ours = readFileSync(join(runbooksFolder, 'reindex-index-concurrently.md'), 'utf8');
const put = (name: string, text: string) => writeFileSync(join(own, `${name}.md`), text);
const byHand = (text: string) => text.replace(/^for: .*$/m, 'for: [manual]');

describe("a folder of one's own", () => {
  it('is right where its runbooks are, and clean up by one of ours', async () => {
    put('rebuild-it', byHand(ours));
    expect(await checkRunbooks(own)).toEqual({ lines: [`${own}: 1 runbook, no problem`], exitCode: 0 });
  });

  it('is told of a name that ours has, a cleanup by nobody or for other columns, and a job that would offer it', async () => {
    put('cancel-query', byHand(ours));
    put('by-nobody', byHand(ours).replace('cleanup runbook=', 'cleanup runbook=un'));
    put('for-others', byHand(ours).replace('::text as index_file,', '::text as index_fiel,'));
    put('offered', ours.replace(/^for: .*$/m, 'for: [index-bloat]'));
    const { lines, exitCode } = await checkRunbooks(own);
    expect(exitCode).toBe(1);
    expect(lines).toEqual([
      expect.stringMatching(/by-nobody\.md:\d+: there is no runbook undrop-invalid-index; did you mean "drop-inv/),
      expect.stringMatching(
        /cancel-query\.md:1: pgorderly comes with a runbook cancel-query; give this one another name$/,
      ),
      expect.stringMatching(/for-others\.md:\d+: the cleanup has a column index_fiel; drop-invalid-index takes index_/),
      expect.stringMatching(
        /for-others\.md:\d+: the cleanup has no column index_file, which drop-invalid-index takes$/,
      ),
      expect.stringMatching(/offered\.md:3: index-bloat offers no runbook of your own; write for: \[manual\]/),
      `${own}: 4 runbooks, 5 problems`,
    ]);
  });

  it('is listed beside ours for a configuration that names it, relative to that file', async () => {
    put('rebuild-it', byHand(ours));
    const { code, out, err } = await pgorderly(['runbooks', 'list', '--config', join(folder, 'pgorderly.yaml')], env);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^cancel-query {2}[\s\S]*\n\nrebuild-it {2}Rebuild an index/);
    expect(out).toContain('    index (relation: index_schema, index_name, index_oid, index_file, index_table) ');
  });

  it.each([
    ['start', ['start', '--config']],
    ['config check', ['config', 'check', '--config']],
  ])('that is wrong is refused by %s, with every problem', async (_, words) => {
    put('cancel-query', byHand(ours));
    put('rebuild-it', ours.replace(/^risk: .*$/m, 'risk: lwo'));
    const { code, out, err } = await pgorderly([...words, join(folder, 'pgorderly.yaml')], env);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(`${own}/cancel-query.md:1: pgorderly comes with a runbook cancel-query`);
    expect(err).toMatch(/rebuild-it\.md:4: risk is "lwo"/);
  });

  it('that is not there is refused by name', async () => {
    rmSync(own, { recursive: true });
    const { code, err } = await pgorderly(['config', 'check', '--config', join(folder, 'pgorderly.yaml')], env);
    expect(code).toBe(1);
    expect(err).toContain(`the folder of runbooks ${own} cannot be read (ENOENT)`);
  });
});
