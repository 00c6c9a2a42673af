import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isRedisHere } from './redis.ts';
import { newest } from './servers.ts';
import { until } from './wait.ts';
import { makeWorkFolder } from './work-folder.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const isRoot = process.getuid?.() === 0;

const start = (settings: Record<string, string> = {}) => `
  import { chmodSync, mkdtempSync } from 'node:fs';
  import { Server } from './src/demo/server.ts';
  const folder = mkdtempSync(process.env.TMPDIR + '/pgorderly-');
  chmodSync(folder, 0o777);
  const server = await Server.start({ major: ${newest}, folder, settings: ${JSON.stringify(settings)} });
  console.log('started');`;
const stay = 'setInterval(() => {}, 1000);';

describe('a process that runs a server', () => {
  it('leaves nothing when it is killed', async () => {
    const one = launch(start() + stay);
    await one.says('started');
    expect(one.processes()).not.toEqual([]);
    one.child.kill('SIGKILL');
    await one.isGone();
  });

  it('ends by itself when the server could not start', async () => {
    // Caught, since an error that nobody catches ends any process.
    const caught = "process.on('uncaughtException', (error) => console.log(error.message));";
    const one = launch(caught + start({ shared_buffers: 'nonsense' }));
    expect(await one.ends()).toBe(0);
    expect(one.heard()).toMatch(/did not start.*shared_buffers/s);
    expect(one.processes()).toEqual([]);
  });

  it('ends by itself when the server crashed, ran again and was removed', async () => {
    const one = launch(`${start()}
      const pid = server.pid();
      process.kill(pid, 'SIGKILL');
      for (let lives = true; lives; await new Promise((resolve) => setTimeout(resolve, 20)))
        try { process.kill(pid, 0); } catch { lives = false; }
      await server.stop();
      await server.run();
      await server.remove();`);
    expect(await one.ends()).toBe(0);
  });

  // Whoever isn't root runs the server as himself, and reaches his own folders.
  if (isRoot)
    it('leaves no copy of the binaries when the project lies in a closed folder', async () => {
      const project = closedProject();
      const stopped = launch(`${start()} await server.remove(); console.log('removed'); ${stay}`, project);
      await stopped.says('removed');
      expect(stopped.left('pgorderly-binaries-')).toEqual([]);
      const killed = launch(start() + stay, project);
      await killed.says('started');
      expect(killed.left('pgorderly-binaries-')).toHaveLength(1);
      killed.child.kill('SIGKILL');
      await killed.isGone();
    });
});

describe('a work folder', () => {
  const make = `
    import { makeWorkFolder } from './test/support/work-folder.ts';
    const make = () => makeWorkFolder(process.env.WORK);`;

  it('is left alone while its process lives, though it is empty, and swept once that is dead', async () => {
    const work = mkdtempSync(join(tmpdir(), 'work-'));
    onTestFinished(() => rmSync(work, { recursive: true, force: true }));
    const lives = launch(`process.env.WORK = '${work}'; ${make} make(); console.log('made'); ${stay}`);
    await lives.says('made');
    const own = readdirSync(work);
    makeWorkFolder(work);
    expect(readdirSync(work)).toEqual(expect.arrayContaining(own));
    lives.child.kill('SIGKILL');
    await until('it to die', () => lives.child.signalCode);
    makeWorkFolder(work);
    expect(readdirSync(work)).not.toEqual(expect.arrayContaining(own));
    expect(readdirSync(work)).toHaveLength(2);
  });
});

describe('a process that runs Redis', () => {
  it.runIf(isRedisHere)('leaves nothing when it is killed', async () => {
    const one = launch(`import { startRedis } from './test/support/redis.ts';
      await startRedis();
      console.log('started');`);
    await one.says('started');
    expect(one.processes()).not.toEqual([]);
    one.child.kill('SIGKILL');
    await one.isGone();
  });

  it.runIf(isRedisHere)('ends by itself when Redis was stopped', async () => {
    const one = launch(`import { startRedis } from './test/support/redis.ts';
      await (await startRedis()).stop();`);
    expect(await one.ends()).toBe(0);
    await one.isGone();
  });
});

/** A process of its own, with a temporary folder of its own, by which what it started is known. */
function launch(script: string, project = root) {
  const folder = mkdtempSync(join(tmpdir(), 'launch-'));
  chmodSync(folder, 0o777);
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: project,
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let heard = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (heard += String(chunk)));
  const left = (start: string) => readdirSync(folder).filter((name) => name.startsWith(start));
  const processes = () => findProcesses(folder, child);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await until('its processes to end', () => {
      for (const pid of processes()) process.kill(Number(pid), 'SIGKILL');
      return processes().length === 0;
    });
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    child,
    heard: () => heard,
    says: (line: string) => until(`"${line}"`, () => heard.includes(line) || failIfEnded(child, heard)),
    ends: () => until('it to end', () => child.exitCode !== null || null, 20_000).then(() => child.exitCode),
    left,
    processes,
    isGone: () => until('all of it to go', () => left('pgorderly-').length === 0 && processes().length === 0, 15_000),
  };
}

function failIfEnded(child: ChildProcess, heard: string): false {
  if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${heard}`);
  return false;
}

/** Those that name the folder in their arguments or environment, the one that we started excepted. */
function findProcesses(folder: string, own: ChildProcess): string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && pid !== String(own.pid) && mentions(pid, folder));
}

function mentions(pid: string, folder: string): boolean {
  try {
    return ['cmdline', 'environ'].some((file) => readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(folder));
  } catch {
    return false; // it ended meanwhile, or is another user's and so not ours
  }
}

/** A clone as root has it in its home: nobody else may enter. */
function closedProject(): string {
  const project = mkdtempSync(join(tmpdir(), 'closed-'));
  onTestFinished(() => rmSync(project, { recursive: true, force: true }));
  cpSync(join(root, 'src'), join(project, 'src'), { recursive: true });
  cpSync(join(root, 'package.json'), join(project, 'package.json'));
  mkdirSync(join(project, 'node_modules'));
  for (const name of ['pg', 'tsx']) symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));
  spawnSync('cp', ['-r', join(root, 'node_modules', `pg${newest}`), join(project, 'node_modules')]);
  return project;
}
