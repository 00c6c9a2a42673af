import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type OpenAlert, type TrackInput, type Transition, track } from '../../src/alerts/track.ts';
import { type CheckResult, type Finding, isCovered, type Severity } from '../../src/model.ts';

const start = new Date('2026-05-05T10:00:00Z');
const severities: Severity[] = ['info', 'warning', 'critical'];

function finding(more: Partial<Finding> = {}): Finding {
  return {
    job: 'lock-chains',
    target: 'shop',
    node: 'primary',
    database: 'shop',
    fingerprint: 'orders',
    severity: 'warning',
    title: 'sessions wait',
    summary: '',
    subject: { kind: 'backend', pid: 1, backendStart: '1' },
    facts: {},
    runbooks: [],
    impact: null,
    ...more,
  };
}

function alert(more: Partial<OpenAlert> = {}): OpenAlert {
  return {
    id: 7,
    node: 'primary',
    database: 'shop',
    fingerprint: 'orders',
    state: 'firing',
    severity: 'warning',
    firstSeenAt: start,
    clearCount: 0,
    isStale: false,
    isFixed: false,
    ...more,
  };
}

function result(more: Partial<CheckResult> = {}): CheckResult {
  return {
    job: 'lock-chains',
    target: 'shop',
    outcome: 'ok',
    reason: null,
    durationMs: 1,
    findings: [],
    lingering: [],
    unjudged: [],
    covered: [{ node: 'primary', databases: { except: [] } }],
    databases: null,
    ...more,
  };
}

function input(alerts: OpenAlert[], found: Partial<CheckResult> = {}, more: Partial<TrackInput> = {}): TrackInput {
  return { alerts, result: result(found), afterSeconds: 20, clearSamples: 3, now: after(0), ...more };
}

function after(seconds: number): Date {
  return new Date(start.getTime() + seconds * 1000);
}

interface Case {
  it: string;
  given: TrackInput;
  gives: Transition[];
}

const blind = { covered: [], unjudged: [{ node: 'primary', reason: 'sees no other sessions', remedy: 'grant' }] };
const found = finding();
const worse = finding({ severity: 'critical' });
const better = finding({ severity: 'info' });

const cases: Case[] = [
  {
    it: 'notices what is new',
    given: input([], { findings: [found] }),
    gives: [{ reason: 'noticed', finding: found }],
  },
  {
    it: 'opens what is new where it need not last',
    given: input([], { findings: [found] }, { afterSeconds: 0 }),
    gives: [{ reason: 'opened', id: null, finding: found }],
  },
  {
    it: 'waits while what was noticed has not lasted',
    given: input([alert({ state: 'pending' })], { findings: [found] }, { now: after(19.9) }),
    gives: [{ reason: 'waiting', id: 7, finding: found }],
  },
  {
    it: 'opens what has lasted',
    given: input([alert({ state: 'pending' })], { findings: [found] }, { now: after(20) }),
    gives: [{ reason: 'opened', id: 7, finding: found }],
  },
  {
    it: 'forgets what went before it lasted',
    given: input([alert({ state: 'pending' })]),
    gives: [{ reason: 'forgotten', id: 7 }],
  },
  {
    it: 'leaves what is as it was',
    given: input([alert()], { findings: [found] }),
    gives: [{ reason: 'unchanged', id: 7, finding: found }],
  },
  {
    it: 'says what became worse',
    given: input([alert()], { findings: [worse] }),
    gives: [{ reason: 'worsened', id: 7, finding: worse }],
  },
  {
    it: 'says what became better',
    given: input([alert()], { findings: [better] }),
    gives: [{ reason: 'improved', id: 7, finding: better }],
  },
  {
    it: 'keeps firing between the threshold and the clearing level',
    given: input([alert({ clearCount: 2 })], { lingering: [found] }),
    gives: [{ reason: 'lingering', id: 7 }],
  },
  {
    it: 'counts what is gone',
    given: input([alert({ clearCount: 1 })]),
    gives: [{ reason: 'clearing', id: 7, clearCount: 2 }],
  },
  {
    it: 'resolves what is gone for so many checks',
    given: input([alert({ clearCount: 2 })]),
    gives: [{ reason: 'resolved', id: 7 }],
  },
  {
    it: 'resolves at once what a verified run has fixed',
    given: input([alert({ isFixed: true })]),
    gives: [{ reason: 'resolved', id: 7 }],
  },
  {
    it: 'calls stale what could not be judged, with the reason of its node',
    given: input([alert()], blind),
    gives: [{ reason: 'stale', id: 7, why: 'sees no other sessions' }],
  },
  {
    it: 'calls stale what could not be reached, with the reason of the check',
    given: input([alert({ isFixed: true, clearCount: 2 })], {
      outcome: 'error',
      covered: [],
      reason: 'primary: refused',
    }),
    gives: [{ reason: 'stale', id: 7, why: 'primary: refused' }],
  },
  {
    it: 'calls stale what is on a node that is checked no more',
    given: input([alert({ node: 'replica' })]),
    gives: [{ reason: 'stale', id: 7, why: 'it was not checked' }],
  },
  {
    it: 'calls stale what is in a database that was not judged, with the reason of that database',
    given: input([alert()], {
      covered: [{ node: null, databases: { except: ['shop', 'crm'] } }],
      unjudged: [
        { node: 'primary', reason: '2 of 9 databases: locked', remedy: '' },
        { node: 'primary', database: 'shop', reason: 'database shop: too slow', remedy: '' },
      ],
    }),
    gives: [{ reason: 'stale', id: 7, why: 'database shop: too slow' }],
  },
  {
    it: 'counts as gone what was in another database than those that were not judged, whichever node spoke',
    given: input([alert({ node: 'old-primary', clearCount: 2 })], {
      covered: [{ node: null, databases: { except: ['crm'] } }],
    }),
    gives: [{ reason: 'resolved', id: 7 }],
  },
  {
    it: 'lets only the one database be well that was looked into',
    given: input([alert({ clearCount: 2 }), alert({ id: 8, database: 'crm', fingerprint: 'f', clearCount: 2 })], {
      covered: [{ node: null, databases: { only: ['crm'] } }],
    }),
    gives: [
      { reason: 'stale', id: 7, why: 'it was not checked' },
      { reason: 'resolved', id: 8 },
    ],
  },
  {
    it: 'lets a pending one that could not be judged neither fire nor go',
    given: input([alert({ state: 'pending' })], blind, { now: after(600) }),
    gives: [{ reason: 'stale', id: 7, why: 'sees no other sessions' }],
  },
  {
    it: 'lets the worse of two findings of one fingerprint speak',
    given: input([alert()], { findings: [better, worse, found] }),
    gives: [{ reason: 'worsened', id: 7, finding: worse }],
  },
];

describe('track', () => {
  for (const { it: behaviour, given, gives } of cases)
    it(behaviour, () => {
      expect(track(given)).toEqual(gives);
    });
});

const nodes = ['primary', 'replica'];
const databases = ['shop', 'crm'];
const fingerprints = ['orders', 'items', 'users'];
const anyCoverage = fc.record({
  node: fc.constantFrom(null, ...nodes),
  databases: fc.oneof(fc.record({ only: fc.subarray(databases) }), fc.record({ except: fc.subarray(databases) })),
});
const anyFinding = fc
  .record({
    node: fc.constantFrom(...nodes),
    fingerprint: fc.constantFrom(...fingerprints),
    severity: fc.constantFrom(...severities),
  })
  .map(finding);
const anyAlerts = fc.uniqueArray(
  fc.record({
    node: fc.constantFrom(...nodes),
    database: fc.constantFrom(null, ...databases),
    fingerprint: fc.constantFrom(...fingerprints),
    state: fc.constantFrom('pending' as const, 'firing' as const),
    severity: fc.constantFrom(...severities),
    clearCount: fc.integer({ min: 0, max: 5 }),
    isStale: fc.boolean(),
    isFixed: fc.boolean(),
  }),
  { selector: (one) => one.fingerprint },
);
const anyInput = fc
  .record({
    alerts: anyAlerts,
    findings: fc.array(anyFinding, { maxLength: 5 }),
    lingering: fc.array(anyFinding, { maxLength: 5 }),
    covered: fc.array(anyCoverage, { maxLength: 2 }),
    afterSeconds: fc.constantFrom(0, 20, 60),
    clearSamples: fc.integer({ min: 1, max: 4 }),
    seconds: fc.integer({ min: 0, max: 100 }),
  })
  .map(({ alerts, findings, lingering, covered, afterSeconds, clearSamples, seconds }) =>
    input(
      alerts.map((one, id) => alert({ ...one, id })),
      { findings, lingering, covered },
      { afterSeconds, clearSamples, now: after(seconds) },
    ),
  );

function idOf(transition: Transition): number | null {
  return 'id' in transition ? transition.id : null;
}

/** What becomes of each alert; `made` is what has none yet. */
function fates(given: TrackInput) {
  const transitions = track(given);
  const of = (one: OpenAlert) => transitions.filter((transition) => idOf(transition) === one.id);
  return { of, made: transitions.filter((transition) => idOf(transition) === null) };
}

describe('track, whatever is found,', () => {
  const always = (what: string, holds: (given: TrackInput) => void) =>
    it(what, () => fc.assert(fc.property(anyInput, holds), { numRuns: 500 }));

  always('decides once about each alert and once about each new fingerprint', (given) => {
    const { of, made } = fates(given);
    for (const one of given.alerts) expect(of(one)).toHaveLength(1);
    const known = given.alerts.map((one) => one.fingerprint);
    const fresh = new Set(given.result.findings.map((one) => one.fingerprint).filter((one) => !known.includes(one)));
    expect(made).toHaveLength(fresh.size);
  });

  always('resolves and forgets nothing that was not covered', (given) => {
    const uncovered = given.alerts.filter((one) => !isCovered(given.result.covered, one));
    for (const one of uncovered)
      for (const { reason } of fates(given).of(one))
        expect(['resolved', 'forgotten', 'clearing']).not.toContain(reason);
  });

  always('lets a pending alert fire only if it is found and has lasted', (given) => {
    const seconds = (given.now.getTime() - start.getTime()) / 1000;
    for (const one of given.alerts.filter(({ state }) => state === 'pending'))
      for (const { reason } of fates(given).of(one)) {
        expect(['waiting', 'opened', 'forgotten', 'stale']).toContain(reason);
        if (reason === 'opened') expect(seconds).toBeGreaterThanOrEqual(given.afterSeconds);
      }
  });

  always('resolves nothing that is found, or lingers', (given) => {
    const seen = [...given.result.findings, ...given.result.lingering].map((one) => one.fingerprint);
    for (const one of given.alerts.filter(({ fingerprint, state }) => state === 'firing' && seen.includes(fingerprint)))
      for (const { reason } of fates(given).of(one))
        expect(['resolved', 'clearing', 'forgotten']).not.toContain(reason);
  });

  always('opens nothing from what only lingers', (given) => {
    const only = { ...given, result: { ...given.result, findings: [] } };
    for (const { reason } of track(only)) expect(['opened', 'noticed', 'waiting']).not.toContain(reason);
  });
});
