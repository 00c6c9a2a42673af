import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReportContent } from '../../src/alerts/compose-report.ts';
import { type Finding, type Offer, type RunState, runStates } from '../../src/model.ts';
import { type Plan, sealPlan } from '../../src/remedy/plan.ts';
import type { CardFacts, ShownRun } from '../../src/slack/cards/read.ts';
import { renderCard } from '../../src/slack/cards/render.ts';
import { approveAloneView } from '../../src/slack/views.ts';
import type { StoredAlert } from '../../src/state/alerts.ts';
import type { StormSample } from '../../src/state/storm-samples.ts';
import { checkMessage, checkView } from '../support/slack/limits.ts';
import { textOf } from '../support/slack/people.ts';

const long = (length: number) => '<!channel> & `x` *y* 😀\n'.repeat(Math.ceil(length / 22)).slice(0, length);
const people = (count: number) => Array.from({ length: count }, (_, index) => `U0PERSON${index}`);

interface Sizes {
  /** Of every text that comes from a server or a job. */
  text: number;
  name: number;
  runs: RunState[];
  people: number;
}

const modest: Sizes = { text: 100, name: 10, runs: ['proposed'], people: 2 };
const huge: Sizes = { text: 60_000, name: 3_000, runs: Array.from({ length: 10 }, () => 'proposed'), people: 300 };

function offer({ text, name }: Sizes): Offer {
  return { name: long(name), params: { pid: '1' }, does: long(text) };
}

function finding(sizes: Sizes): Finding {
  return {
    job: 'lock-chains',
    target: 'shop',
    node: long(sizes.name),
    database: long(sizes.name),
    fingerprint: 'x',
    severity: 'critical',
    title: long(sizes.name),
    summary: long(sizes.text),
    evidence: long(sizes.text),
    subject: { kind: 'backend', pid: 1, backendStart: '1' },
    facts: { all: long(sizes.text) },
    runbooks: Array.from({ length: 10 }, () => offer(sizes)),
    impact: null,
  };
}

function alert(sizes: Sizes, state: StoredAlert['state']): StoredAlert {
  return {
    id: 7,
    job: 'lock-chains',
    target: 'shop',
    fingerprint: 'x',
    state,
    severity: 'critical',
    finding: finding(sizes),
    firstSeenAt: new Date(0),
    lastSeenAt: new Date(0),
    resolvedAt: state === 'resolved' ? new Date(60_000) : null,
    staleSince: new Date(0),
    staleReason: long(sizes.text),
    acknowledgedBy: 'U0PERSON1',
    acknowledgedAt: new Date(0),
  };
}

function run(sizes: Sizes, state: RunState, id: number): ShownRun {
  const plan: Plan = {
    runbook: 'terminate-session',
    class: 'signal',
    risk: 'medium',
    target: 'shop',
    environment: 'production',
    node: long(sizes.name),
    database: null,
    settings: {},
    stopWhen: null,
    identity: { systemIdentifier: '1', timeline: 1, address: 'a' },
    params: { pid: '1' },
    steps: (['precondition', 'act', 'verify'] as const).map((step) => ({ step, sql: long(sizes.text) })),
    limits: { statementMs: 1, lockMs: 1, verifyMs: 1 },
    policy: { risk: 'medium', people: sizes.people, of: people(sizes.people), asker: 'typed' },
  };
  const { text, hash } = sealPlan(plan);
  const reason = long(sizes.text);
  const given = people(state === 'denied' ? 1 : Math.floor(sizes.people / 2));
  return {
    id,
    alertId: 7,
    target: 'shop',
    runbook: 'terminate-session',
    risk: 'medium',
    class: 'signal',
    subject: 's',
    relation: null,
    follows: null,
    startsAt: null,
    progress: null,
    sizeBytes: null,
    undo: null,
    stopBy: null,
    stopReason: null,
    does: long(sizes.text),
    plan: text,
    planHash: hash,
    state,
    askedBy: { userId: 'U0PERSON1', teamId: 'T1' },
    createdAt: new Date(0),
    expiresAt: new Date(0),
    sentAt: null,
    finishedAt: null,
    fence: 0,
    outcome: long(sizes.text),
    beforeAfter: long(sizes.text),
    trace: null,
    approvals: given.map((userId) => ({
      person: { userId, teamId: 'T1' },
      verdict: state === 'denied' ? 'no' : 'yes',
      reason,
      at: new Date(0),
    })),
    ahead: null,
    followsAs: null,
  };
}

function worst(changes: Partial<StormSample> = {}): StormSample {
  return {
    job: 'lock-chains',
    target: 'shop',
    node: 'main',
    fingerprint: 'x',
    stormSince: new Date(0),
    at: new Date(1_000),
    everySeconds: 3,
    victimCount: 37,
    longestWaitSeconds: 370,
    evidence: '1 idle\n└─ 2 waits 6m10s',
    facts: { waitSource: 'first-seen' },
    ...changes,
  };
}

function card(sizes: Sizes, state: StoredAlert['state'] | 'by hand', isPaused = false) {
  const runs = sizes.runs.map((one, index) => run(sizes, one, index + 1));
  const facts: CardFacts =
    state === 'by hand'
      ? {
          alert: null,
          runs: runs.slice(0, 1).map((one) => ({ ...one, alertId: null })),
          report: null,
          isPaused,
          worst: null,
        }
      : { alert: alert(sizes, state), runs, report: null, isPaused, worst: worst({ evidence: long(sizes.text) }) };
  return renderCard({ id: 1, version: 3, facts, timezone: 'Europe/Berlin' });
}

const refusalOf = (message: ReturnType<typeof card>) => checkMessage({ ...message });

describe('a card', () => {
  it.each(['pending', 'firing', 'resolved', 'by hand'] as const)('that is %s stays within Slack’s limits', (state) => {
    for (const runState of runStates)
      for (const sizes of [modest, huge])
        expect(refusalOf(card({ ...sizes, runs: sizes.runs.map(() => runState) }, state, true))).toBeNull();
  });

  it('stays within them whatever the sizes and states', () => {
    const sizes = fc.record({
      text: fc.integer({ min: 1, max: 6_000 }),
      name: fc.integer({ min: 1, max: 3_000 }),
      runs: fc.array(fc.constantFrom(...runStates), { maxLength: 10 }),
      people: fc.integer({ min: 1, max: 400 }),
    });
    fc.assert(
      fc.property(sizes, fc.constantFrom('firing' as const, 'resolved' as const, 'by hand' as const), (of, state) => {
        expect(refusalOf(card(of, state))).toBeNull();
      }),
      { numRuns: 150 },
    );
  });

  it('forms no mention that a server’s text asks for', () => {
    for (const state of ['firing', 'resolved', 'by hand'] as const) {
      const message = card({ ...modest, text: 400 }, state);
      expect(JSON.stringify(message)).not.toMatch(/<[!#h]/);
      expect(message.text).not.toMatch(/[<>\n]/);
    }
  });

  it('makes no link of an address or a channel’s name that a server’s text holds', () => {
    const blocks = JSON.stringify(card(huge, 'firing').blocks);
    expect(blocks.match(/"mrkdwn"/g)?.length).toBe(blocks.match(/"verbatim":true/g)?.length);
  });

  it('shows the act as it is hashed, the people who are missing and the way out', () => {
    const text = textOf(card({ ...modest, people: 4 }, 'firing'));
    expect(text).toContain('&lt;!channel&gt; &amp; `x` *y* 😀');
    expect(text).toContain('needs 2 more of <@U0PERSON0>, <@U0PERSON1>, <@U0PERSON2>, <@U0PERSON3>');
    expect(text).toContain('approved by <@U0PERSON0>, <@U0PERSON1>');
    expect(text).toContain('Deny');
  });

  it('says of many people how many there are', () => {
    expect(textOf(card({ ...modest, people: 300 }, 'firing'))).toMatch(
      /needs 150 more of <@U0PERSON0>, .* and 2\d\d more/,
    );
  });

  it.each([
    ['critical', '🔴'],
    ['warning', '🟠'],
    ['info', '🔵'],
  ] as const)('shows at a glance how bad it is: %s', (severity, sign) => {
    const facts = {
      alert: { ...alert(modest, 'firing'), severity },
      runs: [],
      report: null,
      isPaused: false,
      worst: null,
    };
    expect(renderCard({ id: 1, version: 3, facts, timezone: 'UTC' }).text).toMatch(
      new RegExp(`^${sign} .*\\(${severity}\\)$`),
    );
  });

  it('says who paused nothing but that nothing runs now', () => {
    expect(textOf(card(modest, 'firing', true))).toContain('actions are paused');
    expect(textOf(card(modest, 'firing', false))).not.toContain('paused');
  });

  it.each<[string, StoredAlert['state'], Record<string, number>, boolean]>([
    ['fires with fewer that wait', 'firing', { victimCount: 36, longestWaitSeconds: 900 }, true],
    ['fires with as many that wait, but not so long', 'firing', { victimCount: 37, longestWaitSeconds: 360 }, true],
    ['fires as badly', 'firing', { victimCount: 37, longestWaitSeconds: 370 }, false],
    ['fires worse', 'firing', { victimCount: 38, longestWaitSeconds: 1 }, false],
    ['is resolved', 'resolved', { victimCount: 38, longestWaitSeconds: 400 }, true],
  ])('of an alert that %s shows the worst moment of its storm only if it was worse', (_, state, now, isShown) => {
    const stored = alert(modest, state);
    const facts = {
      alert: { ...stored, finding: { ...stored.finding, facts: now } },
      runs: [],
      report: null,
      isPaused: false,
    };
    const text = textOf(renderCard({ id: 1, version: 1, facts: { ...facts, worst: worst() }, timezone: 'UTC' }));
    const says = 'At its worst, 1970-01-01 00:00:01: 37 sessions waited, the longest for 6 min 10 s.';
    expect(text.includes(says)).toBe(isShown);
    expect(text.includes('└─ 2 waits 6m10s')).toBe(state === 'resolved');
  });

  it('stays readable when a stored plan is not the one that was proposed', () => {
    const broken = { ...run(modest, 'proposed', 1), plan: '{}' };
    const facts = { alert: alert(modest, 'firing'), runs: [broken], report: null, isPaused: false, worst: null };
    const message = renderCard({ id: 1, version: 1, facts, timezone: 'UTC' });
    expect(textOf(message)).toContain('was changed');
    expect(textOf(message)).not.toContain('Approve');
  });
});

describe('a report', () => {
  const reportOf = ({ text, name }: Sizes, lines: number, unjudged: number) => {
    const line = {
      job: long(name),
      severity: 'warning',
      what: long(name),
      sizeBytes: 2e15,
      verdict: long(text),
    } as const;
    const content: ReportContent = {
      lines: Array.from({ length: lines }, (_, alertId) => ({
        ...line,
        alertId,
        database: long(name),
        hasRunbook: true,
        isStale: true,
      })),
      moreLines: 5_000,
      unjudged: Array.from({ length: unjudged }, () => ({ job: long(name), reason: long(text), remedy: long(text) })),
      looks: Array.from({ length: 20 }, () => ({ job: long(name), databases: 9 })),
      oldestLookAt: '2026-05-05T10:00:00Z',
    };
    const report = { id: 1, target: 'shop', kind: 'weekly', askedBy: 'U0MIRA', content, madeAt: new Date(0) } as const;
    const facts: CardFacts = { alert: null, runs: [], report, isPaused: false, worst: null };
    return renderCard({ id: 1, version: 3, facts, timezone: 'Europe/Berlin' });
  };

  it.each([
    [0, 0],
    [10, 0],
    [10, 50],
  ])('with %i lines and %i that were not judged stays within Slack’s limits', (lines, unjudged) => {
    for (const sizes of [modest, huge]) expect(refusalOf(reportOf(sizes, lines, unjudged))).toBeNull();
  });

  it('forms no mention that a server’s text asks for', () => {
    expect(JSON.stringify(reportOf({ ...modest, text: 400 }, 10, 3))).not.toMatch(/<[!#h]/);
  });
});

describe('the modal of an approval alone', () => {
  it('stays within Slack’s limits', () => {
    const asked = {
      value: `1:${'a'.repeat(64)}`,
      target: 't'.repeat(40),
      runbook: 'r'.repeat(60),
      responseUrl: 'https://x',
    };
    expect(checkView(approveAloneView(asked))).toBeNull();
    expect(checkView(approveAloneView({ ...asked, target: null, runbook: null, responseUrl: null }))).toBeNull();
  });
});
