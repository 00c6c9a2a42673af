import { jobs } from '../../jobs/index.ts';
import { startService } from '../../src/app.ts';
import { readConfig } from '../../src/config/load.ts';
import { createLog } from '../../src/log.ts';
import { loadRunbooks, runbooksFolder } from '../../src/remedy/runbook/library.ts';

/** The service of `pgorderly start`, except that it notices a lost worker sooner. */
const config = readConfig(process.argv[2] ?? '', { env: process.env, jobs });
const timing = { leaseSeconds: 2, sweepSeconds: 0.5, patienceSeconds: 3 };
const service = await startService({
  config,
  jobs,
  runbooks: await loadRunbooks(runbooksFolder),
  log: createLog(config.log.level),
  timing,
});
process.once('SIGTERM', () => service.stop().then(() => process.exit(0)));
