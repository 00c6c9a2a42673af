import { describe, expect, it } from 'vitest';
import type { IndexRow, NodeFacts } from '../../jobs/unused-indexes.facts.ts';
import { planDrops } from '../../jobs/unused-indexes.plan.ts';
import { findUnwatched } from '../../jobs/unused-indexes.standbys.ts';
import { unusedIndexes } from '../../jobs/unused-indexes.ts';
import { windowOf } from '../../jobs/unused-indexes.window.ts';
import type { NodeAnswer, Point } from '../../src/detect/job.ts';
import type { Flavour } from '../../src/model.ts';

const day = 86_400;
const now = Date.UTC(2026, 6, 20, 4) / 1_000;

const index: IndexRow = {
  oid: 20_000,
  schema: 'public',
  name: 'i',
  file: '16500',
  tableOid: '16400',
  qualified: 'public.i',
  table: 'public.t',
  method: 'btree',
  sizeBytes: 2 ** 30,
  columns: 'a',
  isPartial: false,
  identity: 'x',
  scans: 0,
  lastScanSeconds: null,
  writes: 400_000,
  foreignKeys: [],
  isKeptForAnother: false,
};

function factsOf(countedDays: number, changes: Partial<IndexRow> = {}): NodeFacts {
  return {
    server: {
      systemIdentifier: '1',
      nowSeconds: now,
      countedSinceSeconds: now - countedDays * day,
      isCounting: true,
      isAurora: false,
      hidesReaders: false,
      slot: null,
      application: null,
      senders: [],
    },
    indexes: [{ ...index, ...changes }],
  };
}

const ofAnother = (facts: NodeFacts): NodeFacts => ({ ...facts, server: { ...facts.server, systemIdentifier: '2' } });

/** A check from a terminal. */
function judge(primary: NodeFacts, standby?: NodeFacts, flavour: Flavour | null = null) {
  const role = { isStandby: true, systemIdentifier: '1', timeline: 1, login: 'monitor', seesAll: true };
  const elsewhere: NodeAnswer<NodeFacts>[] = standby ? [{ node: 'two', role, facts: standby, error: null }] : [];
  const node = { name: 'one', isStandby: false, role: 'monitor', seesAll: true, flavour };
  const context = { node, thresholds: { minBytes: 1 }, now: new Date(now * 1_000), isOneShot: true };
  return unusedIndexes.judge(primary, { ...context, history: () => [], protectedBecause: () => null }, elsewhere);
}

describe('unused-indexes from a terminal', () => {
  it('goes by what the servers counted, says since when, and that it does not know the age of the index', () => {
    const { findings, unjudged } = judge(factsOf(40), factsOf(212));
    expect(unjudged).toEqual([]);
    expect(findings).toMatchObject([
      { facts: { windowSource: 'server', windowDays: 40, nodes: ['one', 'two'], writesPerDay: 10_000 } },
    ]);
    expect(findings[0]?.summary).toContain('do not tell how old the index is');
  });

  it('finds nothing on Aurora while it does not tell what readers there are', () => {
    const facts = factsOf(40);
    for (const changes of [{ isAurora: true, hidesReaders: true }, { isAurora: false }]) {
      const { findings, unjudged } = judge({ ...facts, server: { ...facts.server, ...changes } }, undefined, 'aurora');
      expect({ findings, remedy: unjudged[0]?.remedy }).toEqual({
        findings: [],
        remedy: 'Let it call aurora_replica_status().',
      });
    }
  });

  it.each([
    ['scanned on the primary', factsOf(40, { scans: 3 }), factsOf(40), 0],
    ['scanned on the standby', factsOf(40), factsOf(40, { scans: 1 }), 0],
    ['not scanned, and one counts for 34 days', factsOf(40), factsOf(34), 1],
    ['not scanned, and one is of another cluster', factsOf(40), ofAnother(factsOf(40)), 1],
  ])('finds nothing where it was %s', (_, primary, standby, blind) => {
    const { findings, unjudged } = judge(primary, standby);
    expect(findings).toEqual([]);
    expect(unjudged).toHaveLength(blind);
  });
});

describe('what is known of a node', () => {
  /** A look a day, at four in the morning; `since` tells by how many days ago. */
  function lookBack(days: number, since: (daysAgo: number) => number = () => 1) {
    const points = (value: (daysAgo: number) => number): Point[] =>
      Array.from({ length: days }, (_, at) => days - at).map((daysAgo) => ({
        at: new Date((now - daysAgo * day - 4 * 3_600) * 1_000),
        value: value(daysAgo),
        highest: value(daysAgo),
      }));
    const facts = factsOf(0);
    return windowOf(
      {
        node: 'one',
        isStandby: false,
        facts: { ...facts, server: { ...facts.server, countedSinceSeconds: since(0) } },
      },
      (_, object) =>
        points((daysAgo) => (object === 'at' ? now - daysAgo * day : object === 'since' ? since(daysAgo) : 0)),
    );
  }

  it.each([
    ['36 days with a look each', 36, () => 1, true],
    ['33 days', 33, () => 1, false],
    ['a reset soon after a look', 36, (ago: number) => (ago >= 10 ? 1 : now - 10 * day + 3_600), true],
    ['a reset that lost most of a day', 36, (ago: number) => (ago >= 10 ? 1 : now - 9 * day - 3_600), true],
    [
      'resets that lost most of three',
      36,
      (ago: number) => (ago >= 10 && ago < 13 ? now - ago * day - 3_600 : ago),
      false,
    ],
    ['a reset that lost the only end of a month', 36, (ago: number) => (ago > 19 ? 1 : now - 19 * day - 1_800), false],
  ])('is full or not after %s', (_, days, since, isFull) => {
    expect(lookBack(days, since).isFull).toBe(isFull);
  });
});

describe('of indexes on the columns of one foreign key', () => {
  const on = (oid: number, sizeBytes: number, ...foreignKeys: number[][]): IndexRow => ({
    ...index,
    oid,
    sizeBytes,
    foreignKeys,
  });
  it.each([
    ['the only one stays', [on(1, 9, [])], []],
    ['the smaller of two unused stays', [on(1, 5, [2]), on(2, 9, [1])], [2]],
    ['both may go for a third that is used', [on(1, 5, [2, 3]), on(2, 9, [1, 3])], [2, 1]],
    ['one that is the only one of another key stays', [on(1, 9, [2], []), on(2, 5, [1])], [2]],
  ])('%s', (_, unused, expected) => {
    expect(planDrops(unused).map(({ oid }) => oid)).toEqual(expected);
  });
});

describe('standbys that are not watched', () => {
  const known = (node: string, server: Partial<NodeFacts['server']>, isStandby = node !== 'one') => ({
    node,
    isStandby,
    facts: { indexes: [], server: { ...factsOf(1).server, ...server } },
  });
  const sender = (application: string, slot: string | null = null) => ({ application, client: null, slot });
  it.each([
    ['none, where each is', [known('one', { senders: [sender('two')] }), known('two', { application: 'two' })], []],
    [
      'as many as are left, of several with one name',
      [
        known('one', { senders: [sender('walreceiver'), sender('walreceiver')] }),
        known('two', { application: 'walreceiver' }),
      ],
      ['walreceiver, listed by one'],
    ],
    [
      'told by its slot before its name',
      [
        known('one', { senders: [sender('walreceiver', 'a'), sender('walreceiver', 'b')] }),
        known('two', { application: 'walreceiver', slot: 'b' }),
      ],
      ['walreceiver, listed by one'],
    ],
    [
      'one that streams from a standby',
      [known('one', { senders: [sender('two')] }), known('two', { application: 'two', senders: [sender('far')] })],
      ['far, listed by two'],
    ],
  ])('are %s', (_, all, expected) => {
    expect(findUnwatched(all)).toEqual(expected);
  });
});
