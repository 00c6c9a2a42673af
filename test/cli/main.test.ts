import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobs } from '../../jobs/index.ts';
import { runbooksFolder } from '../../src/remedy/runbook/library.ts';
import { pgorderly, program } from '../support/command.ts';
import { preload, withoutChatAndQueue } from './preload.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgorderly-main-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('pgorderly', () => {
  it('tells its version and its commands', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(await pgorderly(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
    const help = await pgorderly(['--help']);
    expect(help.code).toBe(0);
    for (const command of ['start', 'check', 'demo', 'jobs', 'runbooks', 'audit', 'config', 'docs'])
      expect(help.out).toMatch(new RegExp(`^  ${command} `, 'm'));
  });

  it.each([
    ['an unknown command', ['chek', 'all'], 'Did you mean check?'],
    ['an unknown command of a command', ['audit', 'verfy'], 'Did you mean verify?'],
    ['an unknown command where there is a default', ['runbooks', 'chekc'], 'there are list and check'],
    ['an unknown option', ['docs', '--chekc'], 'Did you mean --check?'],
    ['a missing option', ['start'], '--config'],
    ['an unknown format', ['audit', 'export', '--format', 'csv'], 'jsonl'],
    ['a port that is none', ['demo', '--port', '0'], '1 to 65535'],
    ['no state database', ['audit', 'verify'], '--state-url'],
    ['two state databases', ['audit', 'verify', '--config', 'x', '--state-url', 'y'], 'either'],
  ])('exits with 2 and says what is right for %s', async (_, words, says) => {
    const ran = await pgorderly(words);
    expect(ran).toMatchObject({ code: 2, out: '' });
    expect(ran.err).toContain(says);
    expect(ran.err).not.toMatch(/^ {4}at /m);
  });

  it('exits with 1 and a hint for what fails', async () => {
    const ran = await pgorderly(['start', '--config', join(folder, 'none.yaml')]);
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err).toMatch(/^pgorderly: .*none\.yaml does not exist\.\n {2}Copy config\.example\.yaml/);
  });

  it.each([
    [['check', 'postgres://a:ge/he@im@h/x']],
    [['check', 'all', '--threshold', 'postgres://a:geheim@h/x']],
    [['postgres://h/x?user=a&password=geheim']],
  ])('keeps a password to itself in a URL that is in the wrong place: %j', async (words) => {
    const ran = await pgorderly(words);
    expect(ran.err).toContain('…');
    expect(ran.err).not.toMatch(/geheim|he@im/);
  });

  it('shows a defect in two lines, and its stack with DEBUG only', async () => {
    const broken = preload("console.log = () => { throw new TypeError('boom'); }");
    const ran = await pgorderly(['jobs'], broken);
    expect(ran).toMatchObject({ code: 1, out: '' });
    expect(ran.err).toMatch(/^pgorderly: boom\n {2}This is a defect of pgorderly: please report it.*\n$/);
    expect((await pgorderly(['jobs'], { ...broken, DEBUG: '1' })).err).toMatch(/^ {4}at /m);
  });

  it('goes on to its own exit code when its reader leaves early', async () => {
    const child = spawn(process.execPath, [program, 'jobs'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let err = '';
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    expect(err).toBe('');
  });
});

describe('what needs Slack and the queue', () => {
  it('is loaded by start, which proves the next test', async () => {
    expect((await pgorderly(['start', '--config', 'x'], withoutChatAndQueue)).err).toMatch(
      /loaded (@slack|bullmq|ioredis)/,
    );
  });

  it('is not loaded by check, jobs and runbooks', async () => {
    const check = await pgorderly(['check', 'all', '--url', 'postgres://a@127.0.0.1:1/x'], withoutChatAndQueue);
    expect(check).toMatchObject({ code: 3, err: expect.stringContaining('refused the connection') });
    expect(await pgorderly(['jobs'], withoutChatAndQueue)).toMatchObject({ code: 0, err: '' });
    expect(await pgorderly(['runbooks'], withoutChatAndQueue)).toMatchObject({ code: 0, err: '' });
  });
});

describe('pgorderly jobs', () => {
  it('lists each with its schedule and its thresholds in their units', async () => {
    const { code, out } = await pgorderly(['jobs']);
    expect(code).toBe(0);
    for (const { name, title, schedule } of jobs) {
      expect(out).toContain(`${name}  ${title}\n`);
      expect(out).toContain(`schedule ${schedule}`);
    }
    expect(out).toContain('    minWaitSeconds = 60 seconds  ');
  });
});

describe('pgorderly runbooks', () => {
  it('lists each with its parameters', async () => {
    const { code, out } = await pgorderly(['runbooks', 'list']);
    expect(code).toBe(0);
    expect(out).toContain('terminate-session  ');
    expect(out).toContain('    session (backend: pid, backend_start, xact_start) ');
    expect(out).toContain('    least_waiters (integer, 0 unless told) ');
  });

  it('finds nothing wrong with its own', async () => {
    expect(await pgorderly(['runbooks', 'check'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/no problem\n$/),
    });
  });

  it('says every problem of a folder, with its line, and exits with 1', async () => {
    const right = readFileSync(join(runbooksFolder, 'cancel-query.md'), 'utf8');
    writeFileSync(join(folder, 'odd-job.md'), right.replace(/^for: \[.*\]$/m, 'for: [long-transaction]'));
    writeFileSync(join(folder, 'odd-risk.md'), right.replace(/^risk: .*$/m, 'risk: lwo'));
    const { code, out } = await pgorderly(['runbooks', 'check', folder]);
    expect(code).toBe(1);
    expect(out).toMatch(/odd-job\.md:\d+: there is no job long-transaction; did you mean "long-transactions"\?/);
    expect(out).toMatch(/odd-risk\.md:\d+: risk is "lwo"/);
    expect(out).toMatch(/: 2 runbooks, 2 problems\n$/);
  });

  it('exits with 2 for a folder that is none, or holds none', async () => {
    expect(await pgorderly(['runbooks', 'check', '/nonexistent'])).toMatchObject({ code: 2, out: '' });
    expect(await pgorderly(['runbooks', 'check', '/dev'])).toMatchObject({ code: 2, out: '' });
  });
});
