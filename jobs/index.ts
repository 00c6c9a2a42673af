import type { AnyJob } from '../src/detect/job.ts';
import { duplicateIndexes } from './duplicate-indexes.ts';
import { indexBloat } from './index-bloat.ts';
import { invalidIndexes } from './invalid-indexes.ts';
import { lockChains } from './lock-chains.ts';
import { longTransactions } from './long-transactions.ts';
import { tableBloat } from './table-bloat.ts';

/** Every job, in the order in which a sweep runs them. */
export const jobs: readonly AnyJob[] = [
  lockChains,
  longTransactions,
  invalidIndexes,
  duplicateIndexes,
  tableBloat,
  indexBloat,
];
