import { expect, it, onTestFinished } from 'vitest';
import { createLog } from '../../src/log.ts';
import { openBackend } from '../../src/queue/backend.ts';
import { Queues } from '../../src/queue/queues.ts';
import { resolveUrl } from '../../src/targets/url.ts';
import { createDatabase, newest } from '../support/servers.ts';
import { until } from '../support/wait.ts';

it('checks that take their time keep the others from nothing', async () => {
  const log = createLog('silent');
  const backend = await openBackend(null, resolveUrl((await createDatabase(newest)).url()), log);
  const queues = new Queues(backend, log, (job) => job === 'slow');
  const seen: string[] = [];
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  onTestFinished(async () => {
    letGo();
    await queues.stopWorking();
    await queues.close();
  });
  const check = async (job: string, target: string) => {
    seen.push(`${job} ${target}`);
    if (job === 'slow') await held;
  };
  queues.work({ check, run: async () => {}, channel: async () => {} }, { concurrency: 2, lockMs: 5_000 });
  for (const target of ['a', 'b', 'c']) await queues.tick('slow', target, new Date());
  await until('as many slow ones as fit', async () => seen.length === 2);
  await queues.tick('fast', 'a', new Date());
  await queues.check('fast', 'b');
  await until('the fast ones', async () => seen.filter((one) => one.startsWith('fast')).length === 2);
  expect(seen.filter((one) => one.startsWith('slow'))).toHaveLength(2);
  letGo();
  await until('the last slow one', async () => seen.includes('slow c'));
});
