import { type Random, randomOf } from './random.ts';
import { rows, settled, type TableCase, text } from './table-case.ts';

/** As many as are asked for, each put together at random. */
export function generateTables(seed: number, count: number): TableCase[] {
  return Array.from({ length: count }, (_, index) => generateTable(randomOf(seed * 1000 + index), index));
}

interface Kind {
  type: string;
  bytes: number;
  value: (random: Random) => string;
}

const kinds: readonly Kind[] = [
  { type: 'int', bytes: 4, value: () => 'g' },
  { type: 'bigint', bytes: 8, value: () => 'g' },
  { type: 'smallint', bytes: 2, value: () => 'g % 1000' },
  { type: 'boolean', bytes: 1, value: () => 'g % 2 = 0' },
  { type: 'timestamptz', bytes: 8, value: () => 'now()' },
  { type: 'date', bytes: 4, value: () => 'current_date' },
  { type: 'float8', bytes: 8, value: () => 'random()' },
  { type: 'uuid', bytes: 16, value: () => 'md5(g::text)::uuid' },
  { type: 'numeric', bytes: 8, value: (random) => `(random() * ${10 ** random.between(1, 12)})::numeric(20, 3)` },
  { type: 'text', bytes: 40, value: (random) => text(random.between(1, 30), random.between(31, 80)) },
  { type: 'text', bytes: 200, value: (random) => text(random.between(80, 120), random.between(150, 400)) },
  { type: 'text', bytes: 12, value: () => "'user-' || g" },
  { type: 'varchar(40)', bytes: 33, value: () => 'md5(g::text)' },
  { type: 'char(20)', bytes: 21, value: () => "'x' || g" },
  { type: 'jsonb', bytes: 60, value: () => "jsonb_build_object('id', g, 'at', random())" },
  { type: 'int[]', bytes: 36, value: () => 'array[g, 2 * g, 3 * g]' },
];

function generateTable(random: Random, index: number): TableCase {
  const columns = Array.from({ length: random.between(2, 14) }, () => random.pick(kinds));
  const bytes = 28 + columns.reduce((sum, one) => sum + one.bytes, 0);
  const count = Math.round((random.between(20, 90) * 100_000) / bytes);
  const nullable = (value: string) =>
    random.chance(0.25) ? `case when random() > ${random.next().toFixed(2)} then ${value} end` : value;
  const options = random.chance(0.3) ? ` with (fillfactor = ${random.pick([60, 70, 80, 90])})` : '';
  const create = `create table $t (id int${columns.map(({ type }, n) => `, c${n} ${type}`).join('')})${options}`;
  const insert = `insert into $t select g${columns.map((one) => `, ${nullable(one.value(random))}`).join('')} from ${rows(count)}`;
  const ill = random.chance(0.5) ? [] : illnesses(random, { columns: columns.length, count });
  const end = random.pick(['settled', 'settled', 'settled', 'settled', 'analyzed', 'stale', 'unknown'] as const);
  if (end === 'stale')
    return {
      name: `random_${index}_stale`,
      isUnknowable: true,
      statements: [create, insert, settled, `delete from $t where id % ${random.between(2, 5)} = 0`],
    };
  if (end === 'unknown')
    return {
      name: `random_${index}_no_statistics`,
      isUnknowable: true,
      statements: [create, insert, ...ill, 'vacuum $t'],
    };
  return { name: `random_${index}`, statements: [create, insert, ...ill, end === 'settled' ? settled : 'analyze $t'] };
}

function illnesses(random: Random, { columns, count }: { columns: number; count: number }): string[] {
  const share = random.next().toFixed(2);
  const from = random.between(1, count);
  const all = [
    [`delete from $t where random() < ${share}`],
    [`delete from $t where id % ${random.between(2, 10)} ${random.pick(['=', '<>'])} 0`],
    [`delete from $t where id between ${from} and ${random.between(from, count)}`],
    [`delete from $t where (id / ${random.between(50, 3000)}) % ${random.between(2, 4)} = 0`],
    [`update $t set id = id where random() < ${share}`, 'vacuum $t', `update $t set id = id where random() < ${share}`],
    [`alter table $t drop if exists c${random.between(0, columns - 1)}`],
    ["alter table $t add if not exists late text default 'added later'"],
    [`update $t set id = id`, 'vacuum $t', `delete from $t where random() < ${share}`],
  ];
  return Array.from({ length: random.between(1, 2) }, () => random.pick(all)).flat();
}
