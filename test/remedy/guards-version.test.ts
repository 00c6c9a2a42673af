import { describe, expect, it } from 'vitest';
import { kindOf } from '../../src/remedy/guards/act-kind.ts';
import { findDefect } from '../../src/remedy/guards/version.ts';
import { newest } from '../support/servers.ts';
import { acting, refusalOf, saysOf, useGuardWard } from './guard-ward.ts';

describe('a release that is known to corrupt', () => {
  const build = { build: true, vacuum: false };
  const vacuum = { build: false, vacuum: true };

  it.each([
    [120_008, '12.8 concurrent builds can miss rows: upgrade to 12.9 or later first'],
    [130_004, '13.4 concurrent builds can miss rows: upgrade to 13.5 or later first'],
    [140_000, '14.0 concurrent builds can leave a silently corrupt index: upgrade to 14.4 or later first'],
    [140_003, '14.3 concurrent builds can leave a silently corrupt index: upgrade to 14.4 or later first'],
  ])('builds no index: %i', (version, why) => {
    expect(findDefect(version, build)).toBe(`on PostgreSQL ${why}`);
  });

  it.each([120_009, 120_022, 130_005, 140_004, 140_023, 150_000, 180_000, 190_001])('has it mended: %i', (version) => {
    expect(findDefect(version, build)).toBeNull();
    expect(findDefect(version, vacuum)).toBeNull();
  });

  it('vacuums, but for the one that misses an index', () => {
    expect(findDefect(140_000, vacuum)).toMatch(/^on PostgreSQL 14\.0 a parallel vacuum can miss an index/);
    expect([120_000, 130_000, 140_001].map((version) => findDefect(version, vacuum))).toEqual([null, null, null]);
  });

  it('drops all the same', () => {
    expect(findDefect(140_000, { build: false, vacuum: false })).toBeNull();
  });
});

describe('what a statement does is told by its first words', () => {
  it.each([
    ['reindex index concurrently "a"."b"', 'reindex'],
    ['REINDEX (verbose) INDEX a', 'reindex'],
    ['-- why\n/* a /* nested */ one */ create\n unique  index concurrently a on b (c)', 'create-index'],
    ['create index concurrently a on b (c)', 'create-index'],
    ['drop index concurrently a.b', 'drop-index'],
    ['vacuum (truncate off) a.b', 'vacuum'],
    ['analyze a.b', 'analyze'],
    ['alter table a.b set (fillfactor = 90)', 'alter'],
    ['comment on index a.b is null', 'alter'],
    ['drop table a', 'other'],
    ["select 'reindex index a'", 'other'],
    ['"reindex" index', 'other'],
  ])('%s', (sql, kind) => {
    expect(kindOf(sql)).toBe(kind);
  });
});

describe('a unique index', () => {
  const ward = useGuardWard(newest);

  it('is rebuilt with a word of warning about on conflict, which a drop does not need', async () => {
    const run = await ward.approved('shop.orders_pkey');
    const verdicts = await ward.judge(run);
    expect(refusalOf(verdicts)).toBeNull();
    expect(saysOf(verdicts).find((says) => says.startsWith('version '))).toMatch(
      /the index is unique: meanwhile insert …/,
    );
    const drop = saysOf(await ward.judge(run, { plan: acting('drop index concurrently shop.orders_pkey') }));
    expect(drop.find((says) => says.startsWith('version '))).toMatch(/^version \d+\.\d+$/);
  });
});
