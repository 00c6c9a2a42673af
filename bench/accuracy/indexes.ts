import { type Random, randomOf } from './random.ts';

/** Indexes of one table in a known state. `$t` is its name; each index is named after it, `$t_<name>`. */
export interface IndexCase {
  name: string;
  /** Columns with what is in row g. */
  table: string;
  rows: number;
  /** "name on $t (…)", with `unique` and what follows. */
  indexes: readonly string[];
  /** After the rows are in, the indexes being there. */
  ill: readonly string[];
  /** Indexes are made before the rows come, in the order of `order`. */
  order?: string;
  isUnknowable?: boolean;
}

const text = (low: number, high: number) => `left(repeat(md5(g::text), 40), ${low} + (random() * ${high - low})::int)`;
/** As the rows come: in order, and at random. */
const wide = [
  'id on $t (id)',
  'kind on $t (kind)',
  'unique uniq on $t (id, kind)',
  'random on $t (random)',
  'few on $t (few)',
  'name on $t (name)',
  'flag on $t (flag)',
  'nulls on $t (half)',
  'pair on $t (kind, few)',
  'include on $t (kind) include (random)',
  'amount on $t (amount)',
  'upper on $t (upper(name))',
  'part on $t (random) where kind < 3',
  'at on $t (at)',
  'dependent on $t (city, region)',
] as const;
const table = `g as id, g % 20 as kind, (random() * 1e9)::int as random, (random() * 5000)::int as few,
  'customer-' || g as name, g % 3 = 0 as flag, case when g % 2 = 0 then g % 100 end as half,
  (g % 50)::numeric as amount,
  (g * 7919) % 5000 as city, (g * 7919) % 5000 / 40 as region, now() + g * interval '1 second' as at`;
const rows = 40_000;

export const knownIndexes: readonly IndexCase[] = [
  { name: 'built', table, rows, indexes: wide, ill: [] },
  { name: 'grown', table, rows, indexes: wide, ill: [], order: 'g' },
  { name: 'grown_at_random', table, rows, indexes: wide, ill: [], order: 'random()' },
  { name: 'thinned', table, rows, indexes: wide, ill: ['delete from $t where id % 10 <> 0'] },
  { name: 'halved', table, rows, indexes: wide, ill: ['delete from $t where id % 2 = 0'] },
  { name: 'cut', table, rows, indexes: wide.slice(0, 8), ill: ['delete from $t where id < 25000'] },
  {
    name: 'updated',
    table,
    rows,
    indexes: wide.slice(0, 8),
    ill: ['update $t set random = (random() * 1e9)::int', 'vacuum $t', 'update $t set random = (random() * 1e9)::int'],
  },
  {
    name: 'wide_keys',
    table: `g as id, ${text(20, 400)} as v, case when g % 2 = 0 then ${text(300, 480)} else 'x' || g end as bimodal`,
    rows: 10_000,
    indexes: ['v on $t (v)', 'bimodal on $t (bimodal)'],
    ill: [],
  },
  {
    name: 'wide_keys_thinned',
    table: `g as id, ${text(20, 400)} as v, case when g % 2 = 0 then ${text(300, 480)} else 'x' || g end as bimodal`,
    rows: 10_000,
    indexes: ['v on $t (v)', 'bimodal on $t (bimodal)'],
    ill: ['delete from $t where id % 3 <> 0'],
  },
  {
    name: 'fillfactor',
    table,
    rows,
    indexes: [
      'seventy on $t (id) with (fillfactor = 70)',
      'full on $t (random) with (fillfactor = 100)',
      'fifty on $t (kind) with (fillfactor = 50)',
    ],
    ill: [],
  },
  {
    name: 'stale',
    table,
    rows,
    indexes: ['id on $t (id)', 'few on $t (few)'],
    ill: ['vacuum analyze $t', 'delete from $t where id % 3 <> 0'],
    isUnknowable: true,
  },
];

const values: readonly ((random: Random) => string)[] = [
  () => 'g',
  () => 'g::bigint',
  (random) => `g % ${random.pick([2, 10, 100, 1000, 10_000])}`,
  (random) => `(random() * ${random.pick([5, 50, 500, 5000, 50_000])})::int`,
  (random) => `(random() ^ 3 * ${random.pick([50, 500, 5000])})::int`,
  () => "'key-' || g",
  (random) => `'status-' || (g % ${random.between(2, 50)})`,
  () => 'md5(g::text)',
  () => 'md5(g::text)::uuid',
  (random) => text(random.between(3, 20), random.between(21, 100)),
  () => '(random() * 1000)::numeric(10, 2)',
  () => 'random()',
  () => "date '2020-01-01' + g % 2000",
  () => 'g % 2 = 0',
];

/** As many tables as are asked for, two indexes each, put together at random. */
export function generateIndexes(seed: number, count: number): IndexCase[] {
  return Array.from({ length: count }, (_, index) => generateIndex(randomOf(seed * 7919 + index), index));
}

function generateIndex(random: Random, index: number): IndexCase {
  const count = random.between(20_000, 50_000);
  const columns = Array.from({ length: 4 }, (_, n) => {
    const value = random.pick(values)(random);
    const nullable = random.chance(0.25) ? `case when random() > ${random.next().toFixed(2)} then ${value} end` : value;
    return `${nullable} as c${n}`;
  });
  const ill = [
    [],
    [],
    [`delete from $t where id % ${random.between(2, 12)} <> 0`],
    [`delete from $t where random() < ${random.next().toFixed(2)}`],
    [`delete from $t where id between ${random.between(1, 10_000)} and ${random.between(10_000, count)}`],
    ['update $t set id = id', 'vacuum $t', 'update $t set id = id'],
  ];
  const key = () => random.pick([['c0'], ['c1'], ['c2'], ['c0', 'c1'], ['c1', 'c2'], ['c2', 'c0', 'c3']]).join(', ');
  const tail = () => (random.chance(0.15) ? ` with (fillfactor = ${random.pick([70, 80, 100])})` : '');
  return {
    name: `random_${index}`,
    table: `g as id, ${columns.join(', ')}`,
    rows: count,
    indexes: [`one on $t (${key()})${tail()}`, `two on $t (${key()})${random.chance(0.1) ? ' include (id)' : tail()}`],
    ill: random.pick(ill),
    ...(random.chance(0.6) ? { order: random.pick(['g', 'random()']) } : {}),
  };
}
