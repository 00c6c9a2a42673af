import { describe, expect, it } from 'vitest';
import type { RunState } from '../../src/model.ts';
import { type Plan, sealPlan } from '../../src/remedy/plan.ts';
import type { ShownRun } from '../../src/slack/cards/read.ts';
import { renderCard } from '../../src/slack/cards/render.ts';
import type { RunProgress } from '../../src/state/runs.ts';
import { checkMessage } from '../support/slack/limits.ts';
import { textOf } from '../support/slack/people.ts';

const progress: RunProgress = {
  phase: 'building index: scanning table',
  phaseSince: 0,
  percent: 62,
  etaSeconds: 430,
  waitsFor: null,
  seconds: 664,
};

const plan: Plan = {
  runbook: 'reindex-index-concurrently',
  class: 'maintain',
  risk: 'medium',
  target: 'shop',
  environment: 'production',
  node: 'primary',
  database: 'orders',
  settings: {},
  stopWhen: null,
  identity: { systemIdentifier: '1', timeline: 1, address: 'a' },
  params: {},
  steps: [
    { step: 'act', sql: 'reindex index concurrently shop.orders_idx' },
    { step: 'verify', sql: 'select indisvalid from pg_index' },
  ],
  limits: { statementMs: 0, lockMs: 0, verifyMs: 1_000 },
  policy: { risk: 'medium', people: 1, of: ['U0MIRA'], asker: 'counts' },
};

function run(state: RunState, changes: Partial<ShownRun> = {}, of: Plan = plan): ShownRun {
  const { text, hash } = sealPlan(of);
  return {
    id: 12,
    alertId: null,
    target: 'shop',
    runbook: of.runbook,
    risk: 'medium',
    class: of.class,
    subject: 's',
    relation: 'orders/1',
    follows: null,
    followsAs: null,
    ahead: null,
    startsAt: null,
    progress: null,
    sizeBytes: null,
    undo: null,
    stopBy: null,
    stopReason: null,
    does: 'rebuilds it',
    plan: text,
    planHash: hash,
    state,
    askedBy: { userId: 'U0ANA', teamId: 'T1' },
    createdAt: new Date(0),
    expiresAt: new Date('2026-11-28T12:00:00Z'),
    sentAt: null,
    finishedAt: null,
    fence: 0,
    outcome: null,
    beforeAfter: null,
    trace: null,
    approvals: [{ person: { userId: 'U0MIRA', teamId: 'T1' }, verdict: 'yes', reason: null, at: new Date() }],
    ...changes,
  };
}

function card(shown: ShownRun, isPaused = false) {
  const facts = { alert: null, runs: [shown], report: null, isPaused, worst: null };
  const message = renderCard({ id: 1, version: 1, facts, timezone: 'Europe/Berlin' });
  expect(checkMessage({ ...message })).toBeNull();
  return { text: textOf(message), blocks: JSON.stringify(message.blocks) };
}

const startsAt = new Date('2026-11-22T01:00:00Z');

describe('the card of a run', () => {
  it.each<[string, ShownRun, string]>([
    [
      'that lasts shows how far it is',
      run('running', { progress }),
      'building index: scanning table 62 % ▓▓▓▓▓▓░░░░░ · 11 min 4 s, about 7 min of this phase left',
    ],
    [
      'shows no bar where nobody knows',
      run('running', { progress: { ...progress, percent: null, etaSeconds: null } }),
      'building index: scanning table · 11 min 4 s',
    ],
    ['shows no more than all', run('running', { progress: { ...progress, percent: 130 } }), '130 % ▓▓▓▓▓▓▓▓▓▓▓ '],
    [
      'shows whom it waits for',
      run('running', { progress: { ...progress, waitsFor: 'pid 812 (reporting, idle for 15 min)' } }),
      'Waits for pid 812 (reporting, idle for 15 min); nothing to do but wait',
    ],
    [
      'says who wants it to stop',
      run('running', { stopBy: 'U0TOM', stopReason: 'the shop is slow' }),
      '🛑 Stopping, asked by <@U0TOM>: the shop is slow',
    ],
    [
      'whose worker was lost shows how far it was',
      run('recovering', { progress }),
      'lost its worker; looking at the server',
    ],
    [
      'that ended early says by whom',
      run('stopped', { stopBy: 'U0TOM', outcome: 'nothing changed' }),
      '(R-12) stopped by <@U0TOM>: nothing changed',
    ],
    [
      'that stopped itself names nobody',
      run('stopped', { outcome: '6 sessions waited' }),
      '(R-12) stopped: 6 sessions waited',
    ],
    [
      'names the run that it waits for',
      run('approved', { ahead: 11 }),
      'reindex-index-concurrently (R-12) waits for R-11 to end',
    ],
    [
      'that nothing keeps waiting is about to start',
      run('approved'),
      'reindex-index-concurrently (R-12) is about to start',
    ],
    [
      'says when it starts',
      run('scheduled', { startsAt }),
      'starts Sun 22 Nov 02:00 (Europe/Berlin), when its window opens. The approval ends Sat 28 Nov 13:00 (Europe/Berlin)',
    ],
    [
      'says who withdrew it',
      run('withdrawn', { stopBy: 'U0TOM', outcome: 'not this week' }),
      '(R-12) withdrawn by <@U0TOM>: not this week',
    ],
    ['that was approved and expired blames nobody who answered', run('expired'), 'expired: approved by <@U0MIRA>'],
    ['that nobody answered says so', run('expired', { approvals: [] }), 'expired: nobody answered in time (needed 1)'],
    [
      'that cleans up says after which',
      run('running', { follows: 10, followsAs: 'cleanup' }),
      '(R-12, cleans up after R-10)',
    ],
    ['that takes back says what', run('proposed', { follows: 10, followsAs: 'undo' }), 'takes back R-10'],
  ])('%s', (_, shown, says) => {
    expect(card(shown).text).toContain(says);
  });

  it('shows what to look at where nobody knows how it ended, and how to close it', () => {
    const { text } = card(run('unknown', { outcome: 'nobody knows: shop could not be asked' }));
    expect(text).toMatch(
      /nobody knows: shop could not be asked[\s\S]*Look on primary, database orders; true says that it is done:[\s\S]*select indisvalid from pg_index[\s\S]*`\/pg resolve R-12 succeeded` or `failed`/,
    );
  });

  it.each<[string, ShownRun, string | null]>([
    ['that lasts can be stopped', run('running'), 'Stop …'],
    ['whose worker was lost too', run('recovering'), 'Stop …'],
    ['that is being stopped cannot be stopped again', run('running', { stopBy: 'U0TOM' }), null],
    [
      'that ends by itself cannot',
      run('running', {}, { ...plan, limits: { ...plan.limits, statementMs: 2_000 } }),
      null,
    ],
    ['that is scheduled can be withdrawn', run('scheduled', { startsAt }), 'Withdraw …'],
    ['that was stopped can be asked for again', run('stopped'), 'Ask again'],
    ['of which nobody knows the end cannot, before somebody has looked', run('unknown'), null],
    ['that somebody withdrew too', run('withdrawn', { stopBy: 'U0TOM' }), 'Ask again'],
  ])('%s', (_, shown, label) => {
    const { blocks } = card(shown);
    if (label === null) expect(blocks).not.toMatch(/"actions"/);
    else expect(blocks).toContain(label);
    if (label === 'Stop …') expect(blocks).toContain('"title":{"type":"plain_text","text":"Stop R-12?"}');
  });

  it('says what it does, whatever became of it', () => {
    for (const state of ['proposed', 'running', 'scheduled', 'succeeded'] as const)
      expect(card(run(state)).text).toContain('rebuilds it');
  });

  it('that is scheduled says that actions are paused', () => {
    expect(card(run('scheduled', { startsAt }), true).text).toContain('actions are paused, and it begins once');
  });

  it('that follows another is not said to be seen by no detector, nor confirmed as such', () => {
    const { blocks } = card(run('proposed', { follows: 10, followsAs: 'cleanup', askedBy: null }));
    expect(blocks).toContain('cleans up after R-10');
    expect(blocks).not.toContain('etector');
  });

  it('forms no mention that a server’s text asks for', () => {
    const bad = '<!channel> & <@U0MIRA>';
    const shown = run('running', {
      progress: { ...progress, phase: bad, waitsFor: bad },
      stopBy: bad,
      stopReason: bad,
    });
    expect(card({ ...shown, askedBy: null, approvals: [] }).blocks).not.toMatch(/<[!@]/);
  });

  it('stays within Slack’s limits however long the words are', () => {
    const long = '😀&'.repeat(5_000);
    for (const state of ['running', 'unknown', 'stopped', 'withdrawn'] as const) {
      const shown = { progress: { ...progress, phase: long, waitsFor: long }, stopReason: long, outcome: long };
      card(run(state, { ...shown, stopBy: 'U0TOM' }, { ...plan, steps: [{ step: 'verify', sql: long }] }));
    }
  });
});
