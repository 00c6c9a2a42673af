import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLocalSlack } from '../../../src/demo/slack.ts';
import { waitFor } from '../slack.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgorderly-local-slack-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const workspace = { users: [], channels: [], app: { botToken: 'xoxb-1', appToken: 'xapp-1' } };

test('leaves nothing behind when it is stopped', async () => {
  const marker = `stop-${process.pid}`;
  const slack = await startLocalSlack({ folder, marker, ...workspace });
  expect(await marked(marker)).not.toEqual([]);
  expect((await fetch(`${slack.apiUrl}auth.test`, { method: 'POST' })).status).toBe(200);
  await slack.stop();
  await waitFor('its processes to end', async () => (await marked(marker)).length === 0 || undefined);
  expect(await readdir(folder)).toEqual([]);
});

test('ends with the process that started it, even if that is killed', async () => {
  const marker = `kill-${process.pid}`;
  const module = new URL('../../../src/demo/slack.ts', import.meta.url);
  const options = JSON.stringify({ folder, marker, ...workspace });
  const script = `import('${module}').then(({ startLocalSlack }) => startLocalSlack(${options}))`;
  const parent = spawn(process.execPath, ['--import', 'tsx', '--eval', script], { stdio: 'inherit' });
  await waitFor('its processes', async () => (await marked(marker)).length >= 3 || undefined);
  parent.kill('SIGKILL');
  await waitFor('its processes to end', async () => (await marked(marker)).length === 0 || undefined);
});

test('says how to get a binary that is missing', async () => {
  const start = startLocalSlack({ folder, ...workspace, binary: '/nowhere/local-slack' });
  await expect(start).rejects.toMatchObject({
    code: 'slack-binary-missing',
    message: expect.stringContaining('/nowhere/local-slack does not exist'),
    hint: expect.stringContaining('npm install local-slack-linux-x64'),
  });
});

/** Processes with our marker in their environment. */
async function marked(marker: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const environments = pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => ''));
  const found = await Promise.all(environments);
  return pids.filter((_, i) => found[i]?.includes(`PGORDERLY_DEMO=${marker}`));
}
