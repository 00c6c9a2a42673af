import type { Person, Risk, RunState, Text } from '../model.ts';
import type { StoredApproval } from '../state/runs.ts';

/**
 * counts: the asker's own yes counts like anybody's · typed: the asker alone may approve after typing the target's
 * name and a reason · never: only others may approve. What the bot proposed has no asker.
 */
export type AskerRule = 'counts' | 'typed' | 'never';

/** Who must say yes; part of the plan, so that it is hashed and approved with it. */
export interface Policy {
  risk: Risk;
  people: number;
  /** Slack user ids. */
  of: readonly string[];
  asker: AskerRule;
}

/** How long a proposal stands, in seconds (DEFAULTS: signals 15 minutes, maintenance 24 hours). */
export function proposalLifeSeconds(runbookClass: string): number {
  return runbookClass === 'signal' ? 15 * 60 : 24 * 60 * 60;
}

export interface DecisionInput {
  state: RunState;
  isExpired: boolean;
  isPaused: boolean;
  planHash: string;
  pressedHash: string;
  person: Person;
  verdict: 'yes' | 'no';
  /** The target's name as the person typed it, and the reason; null where nothing was typed. */
  typed: { target: string; reason: string } | null;
  target: string;
  askedBy: Person | null;
  policy: Policy;
  approvals: readonly StoredApproval[];
}

export type Decision =
  | { reason: 'approved'; missing: 0 }
  | { reason: 'counted'; missing: number }
  | { reason: 'denied' }
  | { reason: 'needs-typing' }
  | {
      reason:
        | 'already-decided'
        | 'expired'
        | 'paused'
        | 'plan-changed'
        | 'not-allowed'
        | 'asker'
        | 'twice'
        | 'mistyped';
      says: Text;
    };

/** One person's yes or no against the policy. Pure; the row it speaks of is locked by the caller. */
export function decide(input: DecisionInput): Decision {
  const refusal = refuse(input);
  if (refusal) return refusal;
  if (input.verdict === 'no') return { reason: 'denied' };
  const isAsker = input.askedBy !== null && samePerson(input.askedBy, input.person);
  if (isAsker && input.policy.asker === 'never')
    return { reason: 'asker', says: ['you asked for this; somebody else has to approve it'] };
  if (isAsker && input.policy.asker === 'typed') {
    if (input.typed === null) return { reason: 'needs-typing' };
    if (input.typed.target.trim() !== input.target)
      return { reason: 'mistyped', says: [`you typed another name than ${input.target}`] };
    if (input.typed.reason.trim() === '') return { reason: 'mistyped', says: ['a reason is needed'] };
  }
  const given = input.approvals.filter((approval) => approval.verdict === 'yes').length + 1;
  const missing = input.policy.people - given;
  return missing <= 0 ? { reason: 'approved', missing: 0 } : { reason: 'counted', missing };
}

function refuse(input: DecisionInput): Decision | null {
  if (input.isExpired && input.state === 'proposed') return { reason: 'expired', says: ['this offer has expired'] };
  if (input.state !== 'proposed') return { reason: 'already-decided', says: [`it is ${input.state} already`] };
  if (input.pressedHash !== input.planHash)
    return { reason: 'plan-changed', says: ['the plan has changed since that button was shown'] };
  if (!input.policy.of.includes(input.person.userId)) {
    const says: Text = ['you are not among those who may decide this: ', ...listPeople(input.policy.of)];
    return { reason: 'not-allowed', says };
  }
  if (input.verdict === 'yes' && input.isPaused)
    return { reason: 'paused', says: ['actions are paused; see ', { code: '/pg resume' }] };
  if (input.verdict === 'yes' && input.approvals.some((one) => samePerson(one.person, input.person)))
    return { reason: 'twice', says: ['you have approved it already; another person is needed'] };
  return null;
}

function samePerson(a: Person, b: Person): boolean {
  return a.userId === b.userId && a.teamId === b.teamId;
}

/** The people by name, with commas. */
export function listPeople(userIds: readonly string[]): Text {
  if (userIds.length === 0) return ['nobody is configured'];
  return userIds.flatMap((user, index) => (index === 0 ? [{ user }] : [', ', { user }]));
}
