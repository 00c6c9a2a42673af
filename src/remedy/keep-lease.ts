import { errorFields } from '../log.ts';
import { renewLease } from '../state/leases.ts';
import type { StoredRun } from '../state/runs.ts';
import type { RemedyContext } from './context.ts';

/** Renews the lease of a run until it is stopped. */
export function keepLease(context: RemedyContext, run: StoredRun): { stop(): void } {
  const renew = () =>
    renewLease(context.pool, run, context.leaseSeconds).catch((error) =>
      context.log.warn({ run: run.id, ...errorFields(error) }, 'lease not renewed'),
    );
  const timer = setInterval(renew, (context.leaseSeconds * 1000) / 3);
  return { stop: () => clearInterval(timer) };
}
