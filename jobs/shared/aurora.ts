import type { NodeRole } from '../../src/detect/job.ts';
import type { Unjudged } from '../../src/model.ts';

/** In recovery, and no standby: it reads what the writer has put into their common storage, and receives no WAL. */
export function isAuroraReader({ flavour, isStandby }: Pick<NodeRole, 'flavour' | 'isStandby'>): boolean {
  return flavour === 'aurora' && isStandby;
}

/** Reads on from what is not judged: "its slots are". */
export function unjudgedAuroraReader(what: string): Unjudged {
  return {
    reason: `an Aurora reader shares the writer's storage and shows no WAL, so ${what} not judged`,
    remedy:
      'select server_id, replica_lag_in_msec from aurora_replica_status(); or CloudWatch has what Aurora knows of it.',
  };
}
