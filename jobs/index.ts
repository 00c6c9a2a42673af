import type { AnyJob } from '../src/detect/job.ts';
import { connectionSaturation } from './connection-saturation.ts';
import { duplicateIndexes } from './duplicate-indexes.ts';
import { indexBloat } from './index-bloat.ts';
import { invalidIndexes } from './invalid-indexes.ts';
import { lockChains } from './lock-chains.ts';
import { logicalReplication } from './logical-replication.ts';
import { longTransactions } from './long-transactions.ts';
import { nodeRoles } from './node-roles.ts';
import { preparedTransactions } from './prepared-transactions.ts';
import { replicationLag } from './replication-lag.ts';
import { replicationSlots } from './replication-slots.ts';
import { tableBloat } from './table-bloat.ts';
import { targetUnreachable } from './target-unreachable.ts';
import { unusedIndexes } from './unused-indexes.ts';
import { vacuumDebt } from './vacuum-debt.ts';
import { walArchiving } from './wal-archiving.ts';
import { wraparound } from './wraparound.ts';
import { xminHorizon } from './xmin-horizon.ts';

/** Every job, in the order in which a sweep runs them. */
export const jobs: readonly AnyJob[] = [
  lockChains,
  longTransactions,
  preparedTransactions,
  walArchiving,
  xminHorizon,
  connectionSaturation,
  wraparound,
  replicationLag,
  replicationSlots,
  logicalReplication,
  nodeRoles,
  targetUnreachable,
  invalidIndexes,
  duplicateIndexes,
  vacuumDebt,
  tableBloat,
  indexBloat,
  unusedIndexes,
];
