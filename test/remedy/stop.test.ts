import { describe, expect, it } from 'vitest';
import type { Person } from '../../src/model.ts';
import type { Plan as WholePlan } from '../../src/remedy/plan.ts';
import { decideStop, type StopDecision } from '../../src/remedy/stop.ts';
import type { StoredApproval, StoredRun } from '../../src/state/runs.ts';

const person = (userId: string): Person => ({ userId, teamId: 'T1' });
const [mira, tom, ana, eve] = [person('UMIRA'), person('UTOM'), person('UANA'), person('UEVE')];

type Plan = Pick<WholePlan, 'limits' | 'policy'>;

/** Mira may approve, Tom has approved before the policy left him out, Ana asked for it, and Eve has no part in it. */
const approvals: StoredApproval[] = [{ person: tom, verdict: 'yes', reason: null, at: new Date(0) }];
const lasting: Plan = {
  limits: { statementMs: 0, lockMs: 0, verifyMs: 1_000 },
  policy: { risk: 'medium', people: 1, of: [mira.userId], asker: 'counts' },
};
const short: Plan = { ...lasting, limits: { statementMs: 2_000, lockMs: 0, verifyMs: 1_000 } };

interface Case {
  it: string;
  given: Partial<Pick<StoredRun, 'state' | 'stopBy'>>;
  person?: Person;
  plan?: Plan | null;
  is: StopDecision['is'];
}

const cases: Case[] = [
  { it: 'stops a run under way for one who may approve it', given: {}, is: 'stopping' },
  { it: 'stops it for one who has approved it', given: {}, person: tom, is: 'stopping' },
  { it: 'stops it for who asked for it', given: {}, person: ana, is: 'stopping' },
  { it: 'stops it for nobody else', given: {}, person: eve, is: 'not-allowed' },
  { it: 'stops what a lost worker left', given: { state: 'recovering' }, is: 'stopping' },
  { it: 'leaves the first wish as it is', given: { stopBy: tom.userId }, is: 'stopping-already' },
  { it: 'leaves alone what ends by itself', given: {}, plan: short, is: 'nothing-to-stop' },
  { it: 'withdraws what is approved', given: { state: 'approved' }, is: 'withdrawn' },
  { it: 'withdraws what is scheduled, also if it would end by itself', given: { state: 'scheduled' }, is: 'withdrawn' },
  { it: 'withdraws an approved signal', given: { state: 'approved' }, plan: short, is: 'withdrawn' },
  { it: 'withdraws for nobody else', given: { state: 'scheduled' }, person: eve, is: 'not-allowed' },
  { it: 'does not end an offer', given: { state: 'proposed' }, is: 'nothing-to-stop' },
  { it: 'has nothing to stop in what has ended', given: { state: 'succeeded' }, is: 'nothing-to-stop' },
  { it: 'tells even a stranger that it has ended', given: { state: 'stopped' }, person: eve, is: 'nothing-to-stop' },
  { it: 'has nothing to stop where nobody knows the end', given: { state: 'unknown' }, is: 'nothing-to-stop' },
  { it: 'of a plan that was changed asks only who had to do with it', given: {}, plan: null, is: 'not-allowed' },
  { it: 'of a plan that was changed still heeds who asked', given: {}, person: ana, plan: null, is: 'stopping' },
];

describe('a wish to stop', () => {
  it.each(cases)('$it', ({ given, person: who = mira, plan = lasting, is }) => {
    const run = { state: 'running', stopBy: null, askedBy: ana, ...given } as const;
    expect(decideStop(run, { person: who, plan, approvals }).is).toBe(is);
  });

  it('that is refused names those who may', () => {
    const run = { state: 'running', stopBy: null, askedBy: ana } as const;
    const decision = decideStop(run, { person: eve, plan: lasting, approvals });
    expect(decision).toMatchObject({ says: [{ user: 'UMIRA' }, ', ', { user: 'UTOM' }, ', ', { user: 'UANA' }] });
  });
});
