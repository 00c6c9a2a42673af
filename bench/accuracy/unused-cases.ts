import { dayWithoutMonthEnd } from '../../test/jobs/unused-past.ts';
import { type Random, randomOf } from './random.ts';

export const nodes = ['one', 'two'] as const;
type Node = (typeof nodes)[number];

/** An index `i<n>` on a table `t<n>`, and what befell it in two months: all in days ago. */
export interface UnusedCase {
  name: string;
  /** The index alone, or what has to be there first; `$t` and `$i` are their names. */
  made: readonly string[];
  /** When it was made; before the two months, if that is more. */
  bornDays: number;
  scans: Readonly<Record<Node, readonly number[]>>;
  /** Nobody would miss it. */
  isUnused: boolean;
}

const soonAfter = (daysAgo: number) => dayWithoutMonthEnd(daysAgo) - 0.04;
/** When the counters of a node began anew, soon after a look: pg_stat_reset and a crash; a failover. */
export const resets: Readonly<Record<Node, readonly number[]>> = {
  one: [soonAfter(45), soonAfter(20)],
  two: [soonAfter(52), soonAfter(10)],
};
const windowDays = 35;

const shapes: readonly { name: string; made: readonly string[]; isFree: boolean }[] = [
  { name: 'plain', made: ['create index $i on $t (a)'], isFree: true },
  { name: 'of two columns', made: ['create index $i on $t (a, b)'], isFree: true },
  { name: 'partial', made: ['create index $i on $t (a) where b > 0'], isFree: true },
  { name: 'brin', made: ['create index $i on $t using brin (a)'], isFree: true },
  { name: 'unique', made: ['create unique index $i on $t (a)'], isFree: false },
  { name: 'of a constraint', made: ['alter table $t add constraint $i unique (a)'], isFree: false },
  { name: 'exclusion', made: ['alter table $t add constraint $i exclude using btree (a with =)'], isFree: false },
  { name: 'clustered', made: ['create index $i on $t (a)', 'alter table $t cluster on $i'], isFree: false },
  {
    name: 'replica identity',
    made: [
      'alter table $t alter a set not null',
      'create unique index $i on $t (a)',
      'alter table $t replica identity using index $i',
    ],
    isFree: false,
  },
  { name: 'of an expression', made: ['create index $i on $t ((a + b))', 'analyze $t'], isFree: false },
  {
    name: 'the only one under a foreign key',
    made: ['alter table $t add foreign key (b) references p', 'create index $i on $t (b, a)'],
    isFree: false,
  },
  {
    name: 'one of two under a foreign key',
    made: [
      'alter table $t add foreign key (b) references p',
      'create unique index on $t (b)',
      'create index $i on $t (b, a)',
    ],
    isFree: true,
  },
  {
    name: 'begun by another one, for which duplicate-indexes keeps it',
    made: ['create index on $t (a)', 'create index $i on $t (a, b)'],
    isFree: true,
  },
];

/** Days ago of a scan that is well within the window, or well before it: at its edge a day decides. */
const recent = (random: Random) => random.between(1, 33) + 0.5;
const old = (random: Random) => random.between(37, 58) + 0.5;

export function generateCases(seed: number, count: number): UnusedCase[] {
  const random = randomOf(seed);
  return Array.from({ length: count }, () => {
    const shape = random.chance(0.5) ? random.pick(shapes.slice(0, 4)) : random.pick(shapes.slice(4));
    const bornDays = random.chance(0.1) ? random.between(2, 30) : 100;
    const scans = { one: scansOf(random, bornDays), two: scansOf(random, bornDays) };
    const isScanned = [...scans.one, ...scans.two].some((daysAgo) => daysAgo < windowDays);
    const use = isScanned ? `last scan ${Math.min(...scans.one, ...scans.two)} days ago` : 'no scan';
    return {
      name: `${shape.name}, ${bornDays < 60 ? `made ${bornDays} days ago, ` : ''}${use}`,
      made: shape.made,
      bornDays,
      scans,
      isUnused: shape.isFree && bornDays > windowDays && !isScanned,
    };
  });
}

/** None, once in a while, or often; of late, or no more. */
function scansOf(random: Random, bornDays: number): number[] {
  const kind = random.pick(['none', 'none', 'once', 'of old', 'of old', 'often'] as const);
  const days = {
    none: [],
    once: [recent(random)],
    'of old': Array.from({ length: random.between(1, 4) }, () => old(random)),
    often: Array.from({ length: 6 }, () => (random.chance(0.5) ? recent(random) : old(random))),
  }[kind];
  return days.filter((daysAgo) => daysAgo < bornDays);
}
