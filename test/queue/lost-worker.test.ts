import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLog } from '../../src/log.ts';
import { openBackend } from '../../src/queue/backend.ts';
import { Queues } from '../../src/queue/queues.ts';
import { resolveUrl } from '../../src/targets/url.ts';
import { isRedisHere, startRedis } from '../support/redis.ts';
import { createDatabase, newest } from '../support/servers.ts';
import { until } from '../support/wait.ts';

const work = { concurrency: 4, lockMs: 1_000 };
const backends = ['PostgreSQL', 'Redis'] as const;

for (const backend of backends) {
  describe.skipIf(backend === 'Redis' && !isRedisHere)(`a worker killed with its entries, on ${backend},`, () => {
    it('keeps neither ticks nor channels nor runs from the others for longer than its lock', async () => {
      const stateUrl = (await createDatabase(newest)).url();
      const redis = backend === 'Redis' ? await startRedis() : null;
      const queues = new Queues(
        await openBackend(redis?.url ?? null, resolveUrl(stateUrl), createLog('silent')),
        createLog('silent'),
      );
      onTestFinished(async () => {
        await queues.stopWorking();
        await queues.close();
        await redis?.stop();
      });
      const add = async () => {
        await queues.tick('lock-chains', 'shop', new Date());
        await queues.channel('C0OPS');
        await queues.run(7);
      };
      const lost = spawnWorker([stateUrl, redis?.url ?? '']);
      await add();
      await until('all to be taken', () => ['check', 'channel', 'run'].every((what) => lost.output().includes(what)));
      lost.kill();
      const seen = new Set<string>();
      queues.work(
        {
          check: async () => void seen.add('check'),
          run: async () => void seen.add('run'),
          channel: async () => void seen.add('channel'),
        },
        work,
      );
      await until(
        'the others to work on them',
        async () => {
          await add();
          return seen.size === 3;
        },
        10_000,
      );
      expect([...seen].sort()).toEqual(['channel', 'check', 'run']);
    });
  });
}

/** A process that takes entries, says which, and never ends with one. */
function spawnWorker(urls: string[]): { output(): string; kill(): void } {
  const program = fileURLToPath(new URL('../support/queue-worker.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...urls], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const kill = () => void child.kill('SIGKILL');
  onTestFinished(kill);
  return { output: () => said, kill };
}
