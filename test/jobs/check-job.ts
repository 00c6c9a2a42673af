import { checkTarget } from '../../src/detect/check.ts';
import type { AnyJob, ProtectedBecause, Thresholds } from '../../src/detect/job.ts';
import type { CheckResult } from '../../src/model.ts';
import { Reader } from '../../src/targets/reader.ts';
import type { Database } from '../support/servers.ts';

interface Options {
  user?: string;
  thresholds?: Record<string, number>;
  protectedBecause?: ProtectedBecause;
  /** A warm connection, in place of one of its own. */
  reader?: Reader;
}

/** One check as the service does it. */
export async function checkJob(
  job: AnyJob,
  database: Pick<Database, 'url'>,
  options: Options = {},
): Promise<CheckResult> {
  const { user = 'monitor', thresholds = {}, protectedBecause = () => null } = options;
  const reader = options.reader ?? new Reader({ name: 'main', url: database.url(user) });
  const defaults = Object.fromEntries(
    Object.entries(job.thresholds as Thresholds).map(([name, one]) => [name, one.default]),
  );
  try {
    const target = { name: 'test', nodes: [{ name: 'main', reader }], protectedBecause };
    return (await checkTarget(job, target, { ...defaults, ...thresholds })).result;
  } finally {
    if (!options.reader) await reader.close();
  }
}

/** The server process of a client. */
export function pidOf(client: object): number {
  return (client as { processID: number }).processID;
}
