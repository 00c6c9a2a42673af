import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Person, runStates } from '../../src/model.ts';
import { type Decision, type DecisionInput, decide, findMistyped, type Policy } from '../../src/remedy/policy.ts';
import type { StoredApproval } from '../../src/state/runs.ts';

const person = (userId: string, teamId = 'T1'): Person => ({ userId, teamId });
const [mira, tom, ana] = [person('UMIRA'), person('UTOM'), person('UANA')];
const policy: Policy = { risk: 'medium', people: 1, of: ['UMIRA', 'UTOM'], asker: 'typed' };
const said = (who: Person, verdict: 'yes' | 'no' = 'yes'): StoredApproval => ({
  person: who,
  verdict,
  reason: null,
  at: new Date(0),
});

/** Mira presses Approve on what the bot proposed, and everything is as it should be. */
const usual: DecisionInput = {
  state: 'proposed',
  isExpired: false,
  pause: null,
  planHash: 'abc',
  pressedHash: 'abc',
  person: mira,
  verdict: 'yes',
  typed: null,
  target: 'shop',
  askedBy: null,
  policy,
  approvals: [],
  wait: null,
};

const typed = { target: 'shop', reason: 'nobody else is awake' };
const two = { ...policy, people: 2 };
const later = { why: 'outside its windows', until: new Date(1) };
const never = { why: 'frozen', until: null };

const cases: { it: string; given: Partial<DecisionInput>; reason: Decision['reason']; missing?: number }[] = [
  { it: 'approves where one person is enough', given: {}, reason: 'approved', missing: 0 },
  { it: 'counts the first of two people', given: { policy: two }, reason: 'counted', missing: 1 },
  {
    it: 'approves with the second of two people',
    given: { policy: two, approvals: [said(tom)] },
    reason: 'approved',
    missing: 0,
  },
  { it: 'does not count the same person twice', given: { policy: two, approvals: [said(mira)] }, reason: 'twice' },
  {
    it: 'does not count an approval by somebody outside the policy',
    given: { policy: two, approvals: [said(ana)] },
    reason: 'counted',
    missing: 1,
  },
  { it: 'refuses somebody outside the policy', given: { person: ana }, reason: 'not-allowed' },
  {
    it: 'refuses the denial of somebody outside the policy',
    given: { person: ana, verdict: 'no' },
    reason: 'not-allowed',
  },
  {
    it: 'refuses everybody where the policy names nobody',
    given: { policy: { ...policy, of: [] } },
    reason: 'not-allowed',
  },
  { it: 'denies with one no', given: { verdict: 'no' }, reason: 'denied' },
  { it: 'denies after a yes of the same person', given: { verdict: 'no', approvals: [said(mira)] }, reason: 'denied' },
  { it: 'denies also while paused', given: { verdict: 'no', pause: { by: 'UTOM', reason: null } }, reason: 'denied' },
  { it: 'refuses an approval while paused', given: { pause: { by: 'UTOM', reason: 'deploy' } }, reason: 'paused' },
  { it: 'refuses a button of another plan', given: { pressedHash: 'old' }, reason: 'plan-changed' },
  {
    it: 'refuses the denial by a button of another plan',
    given: { pressedHash: '', verdict: 'no' },
    reason: 'plan-changed',
  },
  { it: 'refuses a click on an expired offer', given: { isExpired: true }, reason: 'expired' },
  { it: 'refuses a denial of an expired offer', given: { isExpired: true, verdict: 'no' }, reason: 'expired' },
  { it: 'asks the asker to type', given: { askedBy: mira }, reason: 'needs-typing' },
  { it: 'approves the asker alone who typed name and reason', given: { askedBy: mira, typed }, reason: 'approved' },
  { it: 'needs no typing of somebody else', given: { askedBy: tom }, reason: 'approved' },
  {
    it: 'refuses another name than the target’s',
    given: { askedBy: mira, typed: { ...typed, target: 'shop-2' } },
    reason: 'mistyped',
  },
  {
    it: 'refuses a reason of blanks',
    given: { askedBy: mira, typed: { ...typed, reason: ' \n' } },
    reason: 'mistyped',
  },
  {
    it: 'refuses a wrong name also of somebody who need not type one',
    given: { askedBy: tom, typed: { ...typed, target: 'x' } },
    reason: 'mistyped',
  },
  {
    it: 'lets the asker deny without typing',
    given: { askedBy: mira, verdict: 'no' },
    reason: 'denied',
  },
  {
    it: 'never counts the asker where the policy says so',
    given: { askedBy: mira, policy: { ...policy, asker: 'never' }, typed },
    reason: 'asker',
  },
  {
    it: 'counts the asker where the policy says so',
    given: { askedBy: mira, policy: { ...policy, asker: 'counts' } },
    reason: 'approved',
  },
  {
    it: 'counts the asker who typed as one of two',
    given: { askedBy: mira, typed, policy: two },
    reason: 'counted',
    missing: 1,
  },
];

describe('decide', () => {
  it.each(cases)('$it', ({ given, reason, missing }) => {
    const decision = decide({ ...usual, ...given });
    expect(decision.reason).toBe(reason);
    if (missing !== undefined) expect(decision).toMatchObject({ missing });
  });

  it.each([
    ['waits for its window', { wait: later }, 'scheduled'],
    ['waits for nothing before enough people have said yes', { wait: later, policy: two }, 'counted'],
    ['is not taken where nothing opens in time', { wait: never }, 'closed'],
    ['is not taken then from the first of two either', { wait: never, policy: two }, 'closed'],
    ['that is a no ends it all the same', { wait: never, verdict: 'no' }, 'denied'],
  ] as const)('a word %s', (_, given, reason) => {
    expect(decide({ ...usual, ...given }).reason).toBe(reason);
  });

  it.each(runStates.filter((state) => state !== 'proposed'))('changes nothing once a run is %s', (state) => {
    for (const verdict of ['yes', 'no'] as const)
      expect(decide({ ...usual, state, verdict, isExpired: true }).reason).toBe('already-decided');
  });

  it('says what became of it, and by whom', () => {
    const says = (given: Partial<DecisionInput>) => {
      const decision = decide({ ...usual, ...given });
      return 'says' in decision ? decision.says : null;
    };
    expect(says({ state: 'denied', approvals: [said(tom, 'no')] })).toEqual([
      'it was denied',
      ' by ',
      { user: 'UTOM' },
    ]);
    expect(says({ state: 'running', approvals: [said(tom)] })).toEqual([
      'it is running already',
      ', approved by ',
      { user: 'UTOM' },
    ]);
    expect(says({ pause: { by: 'UTOM', reason: 'deploy' } })).toContainEqual({ user: 'UTOM' });
    expect(says({ pause: { by: 'UTOM', reason: 'deploy' } })).toContain(': deploy');
    expect(says({ person: ana })).toContainEqual({ user: 'UMIRA' });
  });
});

describe('findMistyped', () => {
  it('names the field that is wrong', () => {
    expect(findMistyped(typed, 'shop')).toBeNull();
    expect(findMistyped({ ...typed, target: ' shop ' }, 'shop')).toBeNull();
    expect(findMistyped({ ...typed, target: 'Shop' }, 'shop')?.field).toBe('target');
    expect(findMistyped({ ...typed, reason: '' }, 'shop')?.field).toBe('reason');
  });
});

const anyPerson = fc.record({
  userId: fc.constantFrom('UA', 'UB', 'UC', 'UD', 'UE'),
  teamId: fc.constantFrom('T1', 'T2'),
});
const anyPolicy: fc.Arbitrary<Policy> = fc.record({
  risk: fc.constant('medium' as const),
  people: fc.integer({ min: 1, max: 4 }),
  of: fc.uniqueArray(fc.constantFrom('UA', 'UB', 'UC', 'UD', 'UE')),
  asker: fc.constantFrom('counts' as const, 'typed' as const, 'never' as const),
});
const anyApproval = fc.record({
  person: anyPerson,
  verdict: fc.constantFrom('yes' as const, 'no' as const),
  reason: fc.constant(null),
  at: fc.constant(new Date(0)),
});
const anyTyped = fc.option(fc.record({ target: fc.constantFrom('shop', 'x'), reason: fc.constantFrom('', 'because') }));
const anyInput: fc.Arbitrary<DecisionInput> = fc.record({
  state: fc.constantFrom(...runStates, ...Array.from({ length: 20 }, () => 'proposed' as const)),
  isExpired: fc.boolean(),
  pause: fc.option(fc.constant({ by: 'UX', reason: null }), { freq: 2 }),
  planHash: fc.constant('abc'),
  pressedHash: fc.constantFrom('abc', 'abc', 'abc', 'old'),
  person: anyPerson,
  verdict: fc.constantFrom('yes' as const, 'no' as const),
  typed: anyTyped,
  target: fc.constant('shop'),
  askedBy: fc.option(anyPerson),
  policy: anyPolicy,
  approvals: fc.array(anyApproval, { maxLength: 6 }),
  wait: fc.option(fc.record({ why: fc.constant('closed'), until: fc.option(fc.constant(new Date(1))) }), { freq: 2 }),
});
const keyOf = ({ userId, teamId }: Person) => `${teamId} ${userId}`;

/** Presses one after the other on one proposal, as the state database keeps them; who approved it, or null. */
function press(clicks: Pick<DecisionInput, 'person' | 'verdict' | 'typed'>[], of: Partial<DecisionInput>) {
  const approvals: StoredApproval[] = [];
  for (const click of clicks) {
    const { reason } = decide({ ...usual, ...of, ...click, approvals });
    if (reason === 'denied') return 'denied';
    if (reason === 'counted' || reason === 'approved') approvals.push(said(click.person));
    if (reason === 'approved') return approvals.map((one) => one.person);
  }
  return null;
}

describe('decide, whatever is pressed', () => {
  it('never approves with fewer distinct people of the policy than it asks for', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        if (!['approved', 'scheduled'].includes(decide(input).reason)) return;
        const yes = input.approvals.filter((one) => one.verdict === 'yes').map((one) => one.person);
        const counted = [...yes, input.person].filter(({ userId }) => input.policy.of.includes(userId));
        expect(new Set(counted.map(keyOf)).size).toBeGreaterThanOrEqual(input.policy.people);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never lets begin at once what has to wait', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { reason } = decide(input);
        if (reason === 'approved') expect(input.wait).toBeNull();
        if (reason === 'scheduled') expect(input.wait?.until).not.toBeNull();
      }),
      { numRuns: 1_000 },
    );
  });

  it('never lets somebody outside the policy decide, nor a late, paused or foreign click approve', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { reason } = decide(input);
        if (!['approved', 'scheduled', 'counted', 'denied'].includes(reason)) return;
        expect(input.policy.of).toContain(input.person.userId);
        expect(input.state).toBe('proposed');
        expect(input.isExpired).toBe(false);
        expect(input.pressedHash).toBe(input.planHash);
        if (reason !== 'denied') expect(input.pause).toBeNull();
        const isAsker = input.askedBy !== null && keyOf(input.askedBy) === keyOf(input.person);
        if (reason === 'denied' || !isAsker || input.policy.asker === 'counts') return;
        expect(input.policy.asker).toBe('typed');
        expect(input.typed?.target).toBe('shop');
        expect(input.typed?.reason).not.toBe('');
      }),
      { numRuns: 2_000 },
    );
  });

  it('comes to the same end in whatever order people say yes', () => {
    const clicks = fc.array(fc.record({ person: anyPerson, verdict: fc.constant('yes' as const), typed: anyTyped }), {
      maxLength: 8,
    });
    const shuffled = clicks.chain((one) =>
      fc.tuple(fc.constant(one), fc.shuffledSubarray(one, { minLength: one.length })),
    );
    fc.assert(
      fc.property(shuffled, anyPolicy, fc.option(anyPerson), ([one, other], anyOf, askedBy) => {
        const of = { policy: anyOf, askedBy };
        const isApproved = (order: typeof one) => Array.isArray(press(order, of));
        expect(isApproved(other)).toBe(isApproved(one));
        const people = press(one, of);
        if (Array.isArray(people)) expect(new Set(people.map(keyOf)).size).toBe(anyOf.people);
      }),
      { numRuns: 1_000 },
    );
  });
});
