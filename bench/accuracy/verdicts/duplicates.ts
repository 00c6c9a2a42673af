import { duplicateIndexes } from '../../../jobs/duplicate-indexes.ts';
import { exactly, type Trial, type VerdictCase } from './case.ts';
import { randomIndexSets } from './random-indexes.ts';

const table =
  'create table t (k1 int, a int, b int, c int, s text, tenant int, usr int, k8 int, k9 int, k10 int, k11 int, k12 int)';

interface Known {
  name: string;
  trap?: string;
  indexes: string[];
  /** drop<keep */
  truth: string[];
}

const known: readonly Known[] = [
  { name: 'columns 1 and 12', trap: 'T4', indexes: ['one on t (k1)', 'two on t (k12)'], truth: [] },
  { name: 'another collation', trap: 'T5', indexes: ['one on t (s)', 'two on t (s collate "C")'], truth: [] },
  {
    name: 'a chain of three',
    trap: 'T6',
    indexes: ['u_tenant on t (tenant)', 'u_desc on t (tenant desc)', 'unique u_both on t (tenant, usr)'],
    truth: ['u_tenant<u_both'],
  },
  { name: 'two equal ones', indexes: ['one on t (a)', 'two on t (a)'], truth: ['two<one'] },
  { name: 'a unique one', indexes: ['unique one on t (a)', 'two on t (a, b)'], truth: [] },
  { name: 'another operator class', indexes: ['one on t (s)', 'two on t (s text_pattern_ops)'], truth: [] },
  { name: 'another predicate', indexes: ['one on t (a)', 'two on t (a) where b > 1'], truth: [] },
  { name: 'included columns', indexes: ['one on t (a) include (b)', 'two on t (a, b)'], truth: ['one<two'] },
  { name: 'another method', indexes: ['one on t using hash (a)', 'two on t (a)'], truth: [] },
  { name: 'expressions', indexes: ['one on t (lower(s))', 'two on t ((lower(s)), a)'], truth: ['one<two'] },
];

export function duplicates(seed: number): Trial {
  return {
    job: duplicateIndexes,
    thresholds: { minBytes: 0 },
    sayOf: ({ facts }) => `${bare(facts['drop'])}<${bare(facts['keep'])}`,
    peer: null,
    cases: [...known.map(toCase), ...randomIndexSets(seed, 60)],
  };
}

function toCase({ name, trap, indexes, truth }: Known): VerdictCase {
  return {
    name,
    ...(trap ? { trap } : {}),
    isSick: truth.length > 0,
    async make(scene) {
      const made = indexes.map((one) => `create ${one.replace(/^(unique )?/, '$1index ')}`);
      await scene.run(table, ...made);
      return exactly(...truth);
    },
  };
}

function bare(name: unknown): string {
  return String(name).replace('public.', '');
}
