import type { AnyJob } from '../src/detect/job.ts';
import { duplicateIndexes } from './duplicate-indexes.ts';
import { invalidIndexes } from './invalid-indexes.ts';
import { lockChains } from './lock-chains.ts';
import { longTransactions } from './long-transactions.ts';
import { nodeRoles } from './node-roles.ts';
import { replicationLag } from './replication-lag.ts';
import { replicationSlots } from './replication-slots.ts';
import { targetUnreachable } from './target-unreachable.ts';

/** Every job, in the order in which a sweep runs them. */
export const jobs: readonly AnyJob[] = [
  lockChains,
  longTransactions,
  replicationLag,
  replicationSlots,
  nodeRoles,
  targetUnreachable,
  invalidIndexes,
  duplicateIndexes,
];
