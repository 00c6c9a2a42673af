import { createLog } from '../../src/log.ts';
import { openBackend } from '../../src/queue/backend.ts';
import { Queues } from '../../src/queue/queues.ts';
import { resolveUrl } from '../../src/targets/url.ts';

/** Takes every entry, says what it is, and never ends with it. */
const [stateUrl = '', redisUrl = ''] = process.argv.slice(2);
const log = createLog('silent');
const queues = new Queues(await openBackend(redisUrl || null, resolveUrl(stateUrl), log), log);
const take = (what: string) => () => {
  process.stdout.write(`${what}\n`);
  return new Promise<void>(() => undefined);
};
queues.work({ check: take('check'), run: take('run'), channel: take('channel') }, { concurrency: 4, lockMs: 1_000 });
