import { describe, expect, it, onTestFinished } from 'vitest';
import { createLog } from '../../src/log.ts';
import { openBackend } from '../../src/queue/backend.ts';
import { Queues } from '../../src/queue/queues.ts';
import { resolveUrl } from '../../src/targets/url.ts';
import { isRedisHere, startRedis } from '../support/redis.ts';
import { createDatabase, newest } from '../support/servers.ts';
import { until } from '../support/wait.ts';

for (const backend of ['PostgreSQL', 'Redis'] as const) {
  describe.skipIf(backend === 'Redis' && !isRedisHere)(
    `a check that asks for another one later, on ${backend},`,
    () => {
      it('gets it at its time, and keeps no tick out', async () => {
        const stateUrl = (await createDatabase(newest)).url();
        const redis = backend === 'Redis' ? await startRedis() : null;
        const log = createLog('silent');
        const queues = new Queues(await openBackend(redis?.url ?? null, resolveUrl(stateUrl), log), log);
        onTestFinished(async () => {
          await queues.stopWorking();
          await queues.close();
          await redis?.stop();
        });
        const ticks = [new Date(Date.now() - 2_000), new Date(Date.now() - 1_000)] as const;
        const seen: { tickAt: Date; at: number }[] = [];
        let askedAt = 0;
        queues.work(
          {
            check: async (job, target, tickAt) => {
              seen.push({ tickAt, at: Date.now() });
              if (seen.length > 1) return;
              askedAt = Date.now();
              await queues.check(job, target, 2);
            },
            run: async () => {},
            channel: async () => {},
          },
          { concurrency: 4, lockMs: 5_000 },
        );
        await queues.tick('lock-chains', 'shop', ticks[0]);
        await until('the first', () => askedAt > 0);
        await until('the next tick', async () => {
          await queues.tick('lock-chains', 'shop', ticks[1]);
          return seen.some(({ tickAt }) => tickAt.getTime() === ticks[1].getTime());
        });
        expect(Date.now() - askedAt).toBeLessThan(2_000);
        const again = await until('the one that was asked for', () =>
          seen.find(({ tickAt }) => tickAt.getTime() > ticks[1].getTime()),
        );
        expect(again.at - askedAt).toBeGreaterThan(1_900);
        expect(again.at - askedAt).toBeLessThan(5_000);
      });
    },
  );
}
