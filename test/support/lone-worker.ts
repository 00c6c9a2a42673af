import { executeRun } from '../../src/remedy/execute.ts';
import { openRemedy, type RemedyOptions } from './remedy.ts';

/** Carries out one approved run, so that a test can kill a worker of its own. */
const [options = '{}', id = '0'] = process.argv.slice(2);
const remedy = await openRemedy(JSON.parse(options) as RemedyOptions);
await executeRun(remedy.context, Number(id));
await remedy.close();
