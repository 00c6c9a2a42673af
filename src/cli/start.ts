import { jobs } from '../../jobs/index.ts';
import { startService } from '../app.ts';
import { readConfig } from '../config/load.ts';
import { createLog } from '../log.ts';
import { loadLibrary } from '../remedy/runbook/library.ts';

/** Runs the service until SIGTERM or SIGINT; a second signal ends it at once. */
export async function start(options: { config: string }): Promise<undefined> {
  const config = readConfig(options.config, { env: process.env, jobs });
  const log = createLog(config.log.level);
  const service = await startService({ config, jobs, runbooks: await loadLibrary(config.runbooks), log });
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  log.info({ signal }, 'asked to stop');
  process.once('SIGINT', () => process.exit(1));
  process.once('SIGTERM', () => process.exit(1));
  await service.stop();
  // A pending retry of Slack's library would keep the process alive.
  process.exit(0);
}
