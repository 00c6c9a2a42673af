import { describe, expect, it } from 'vitest';
import type { Ignore } from '../../src/config/config.ts';
import { isChosenBy, isIgnoredBy } from '../../src/detect/choice.ts';
import type { Finding } from '../../src/model.ts';

describe('the databases of a target', () => {
  it.each([
    [[], 'shop', true],
    [['shop'], 'shop', true],
    [['shop'], 'shop2', false],
    [['shop*', 'crm'], 'shop2', true],
    [['!shop*'], 'shop2', false],
    [['!shop*'], 'crm', true],
    [['*', '!test_*'], 'test_1', false],
    [['crm', '!test_*'], 'shop', false],
  ])('%j and %s: %s', (patterns, database, isChosen) => {
    expect(isChosenBy(patterns, database)).toBe(isChosen);
  });
});

describe('an entry of the ignore list', () => {
  const base: Ignore = {
    relation: 'public.events*',
    target: null,
    database: '*',
    reason: 'archived soon',
    endsAt: new Date('2027-01-02T00:00:00Z'),
  };
  const finding = {
    target: 'prod',
    database: 'shop',
    subject: { kind: 'index', schema: 'public', name: 'ix', oid: 1, table: 'public.events_2026' },
  } as Finding;
  const inTime = new Date('2027-01-01T23:59:59Z');
  const session = { ...finding, subject: { kind: 'backend', pid: 1, backendStart: '' } } as Finding;

  it.each([
    ['passes over an index of its table', {}, finding, inTime, true],
    ['passes over an index by its own name', { relation: '*.ix' }, finding, inTime, true],
    ['leaves other relations', { relation: 'public.orders' }, finding, inTime, false],
    ['leaves other databases', { database: 'crm*' }, finding, inTime, false],
    ['leaves other targets', { target: 'test' }, finding, inTime, false],
    ['holds on its target', { target: 'prod' }, finding, inTime, true],
    ['is over after its last day', {}, finding, base.endsAt, false],
    ['says nothing of sessions', { relation: '*.*' }, session, inTime, false],
  ] as const)('%s', (_, change, found, now, isIgnored) => {
    expect(isIgnoredBy([{ ...base, ...change }], found, now)).toBe(isIgnored);
  });
});
