import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type IndexRow, planDrops } from '../../jobs/duplicate-indexes.plan.ts';

const anyColumn = fc.constantFrom('1', '2', '3');
const anyIndex = fc
  .record({
    columns: fc.array(anyColumn, { minLength: 1, maxLength: 4 }),
    keys: fc.integer({ min: 1, max: 4 }),
    orders: fc.array(fc.constantFrom('0', '3'), { minLength: 4, maxLength: 4 }),
    tableOid: fc.constantFrom(1, 2),
    predicate: fc.constantFrom(null, null, '{p}'),
    method: fc.constantFrom('btree', 'btree', 'btree', 'gist'),
    isUnique: fc.boolean(),
    nullsAreEqual: fc.boolean(),
    isImmediate: fc.boolean(),
    servesConstraint: fc.constantFrom(false, false, false, true),
    isReplicaIdentity: fc.constantFrom(false, false, false, true),
    isClustered: fc.constantFrom(false, false, false, true),
    isPartition: fc.constantFrom(false, false, false, true),
  })
  .map(({ columns, keys, orders, ...more }) => {
    const keyCount = Math.min(keys, columns.length);
    const each = (value: string) => Array<string>(keyCount).fill(value);
    return {
      ...more,
      columns,
      keyCount,
      orders: orders.slice(0, keyCount),
      opclasses: each('10'),
      collations: each('0'),
      expressions: null,
      opclassOptions: null,
      options: null,
      isOfConstraint: false,
      sizeBytes: 0,
    };
  });
const anyTable = fc.array(anyIndex, { maxLength: 12 }).map((indexes) =>
  indexes.map((one, at): IndexRow => {
    const name = `i${at}`;
    const table = `s.t${one.tableOid}`;
    return { ...one, oid: 1 + at, schema: 's', name, file: `${1 + at}`, qualified: `s.${name}`, table };
  }),
);

/** What a reader of the index, and whoever trusts that it is unique, gets from it. */
function beginsWith({ columns, orders, keyCount }: IndexRow, other: IndexRow): boolean {
  const key = (row: { columns: readonly string[]; orders: readonly string[] }, at: number) =>
    `${row.columns[at]} ${row.orders[at]}`;
  return (
    other.keyCount <= keyCount &&
    Array.from({ length: other.keyCount }, (_, at) => at).every((at) => key({ columns, orders }, at) === key(other, at))
  );
}

const always = (what: string, holds: (rows: IndexRow[]) => void) =>
  test(what, () => fc.assert(fc.property(anyTable, holds), { numRuns: 2_000 }));

always('what an index is dropped for is never dropped itself', (rows) => {
  const drops = planDrops(rows);
  const dropped = new Set(drops.map(({ drop }) => drop.oid));
  expect(dropped.size).toBe(drops.length);
  for (const { keep } of drops) expect(dropped.has(keep.oid)).toBe(false);
});

always('what is needed is kept, and nothing that is unique goes for what is not', (rows) => {
  for (const { drop, keep } of planDrops(rows)) {
    expect([drop.servesConstraint, drop.isReplicaIdentity, drop.isClustered, drop.isPartition]).not.toContain(true);
    if (drop.isUnique) expect([keep.isUnique, keep.isImmediate, keep.keyCount]).toEqual([true, true, drop.keyCount]);
  }
});

always('an index goes only for one of its table that begins with it and returns what it returns', (rows) => {
  for (const { drop, keep, kind } of planDrops(rows)) {
    expect([keep.tableOid, keep.method, keep.predicate]).toEqual([drop.tableOid, drop.method, drop.predicate]);
    expect(beginsWith(keep, drop)).toBe(true);
    expect(keep.columns).toEqual(expect.arrayContaining([...drop.columns]));
    expect(kind).toBe(keep.keyCount === drop.keyCount ? 'duplicate' : 'prefix');
    if (kind === 'prefix') expect(drop.method).toBe('btree');
  }
});

always('the order in which indexes are listed decides nothing', (rows) => {
  const pairs = (of: IndexRow[]) => planDrops(of).map(({ drop, keep }) => `${drop.oid}<${keep.oid}`);
  expect(pairs([...rows].reverse()).sort()).toEqual(pairs(rows).sort());
});

always('once they are dropped, there is nothing more to drop', (rows) => {
  const dropped = new Set(planDrops(rows).map(({ drop }) => drop.oid));
  expect(planDrops(rows.filter(({ oid }) => !dropped.has(oid)))).toEqual([]);
});
