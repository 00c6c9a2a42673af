import type { Person, Risk, RunState, Text } from '../model.ts';
import type { StoredApproval } from '../state/runs.ts';
import type { Pause } from '../state/switches.ts';

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
  /** Null while actions run. */
  pause: Pick<Pause, 'by' | 'reason'> | null;
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
  /** Why it may not begin at once, and when it may; null where it may. */
  wait: Wait | null;
}

/** `until` is null where that is later than an approval lasts. */
export interface Wait {
  why: string;
  until: Date | null;
}

export type Decision =
  | { reason: 'approved'; missing: 0 }
  | { reason: 'scheduled'; why: string; startsAt: Date }
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
        | 'mistyped'
        | 'closed';
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
  if (isAsker && input.policy.asker === 'typed' && input.typed === null) return { reason: 'needs-typing' };
  const missing = input.policy.people - countPeople(input);
  if (missing > 0) return { reason: 'counted', missing };
  const { wait } = input;
  return wait?.until
    ? { reason: 'scheduled', why: wait.why, startsAt: wait.until }
    : { reason: 'approved', missing: 0 };
}

function refuse(input: DecisionInput): Decision | null {
  if (input.isExpired && input.state === 'proposed')
    return { reason: 'expired', says: ['this offer has expired; its card lets you ask again'] };
  if (input.state !== 'proposed') return { reason: 'already-decided', says: whatBecame(input) };
  if (input.pressedHash !== input.planHash)
    return { reason: 'plan-changed', says: ['the plan has changed since that button was shown'] };
  if (!input.policy.of.includes(input.person.userId)) {
    const says: Text = ['you are not among those who may decide this: ', ...listPeople(input.policy.of)];
    return { reason: 'not-allowed', says };
  }
  return input.verdict === 'yes' ? refuseYes(input) : null;
}

function refuseYes({ pause, approvals, person, typed, target, wait }: DecisionInput): Decision | null {
  if (pause) {
    const why = pause.reason ? `: ${pause.reason}` : '';
    const says: Text = ['actions are paused by ', { user: pause.by }, why, '; approvers end it with '];
    return { reason: 'paused', says: [...says, { code: '/pg resume' }] };
  }
  if (approvals.some((one) => samePerson(one.person, person)))
    return { reason: 'twice', says: ['you have approved it already; another person is needed'] };
  if (wait && !wait.until)
    return {
      reason: 'closed',
      says: [`${target} is ${wait.why}, for longer than an approval lasts; approve it later`],
    };
  const wrong = typed && findMistyped(typed, target);
  return wrong ? { reason: 'mistyped', says: [wrong.says] } : null;
}

/** What is wrong with what a person typed to approve alone, and in which field; null where it is right. */
export function findMistyped(
  typed: { target: string; reason: string },
  target: string,
): { field: 'target' | 'reason'; says: string } | null {
  if (typed.target.trim() !== target)
    return { field: 'target', says: `you typed another name than the target's, which is ${target}` };
  return typed.reason.trim() === '' ? { field: 'reason', says: 'a reason is needed' } : null;
}

/** The people who would have said yes, this one included. Those outside the policy never count, and nobody twice. */
function countPeople({ approvals, person, policy }: DecisionInput): number {
  const yes = approvals.filter((one) => one.verdict === 'yes').map((one) => one.person);
  const people = [...yes, person].filter(({ userId }) => policy.of.includes(userId));
  return new Set(people.map(({ userId, teamId }) => `${teamId} ${userId}`)).size;
}

function whatBecame({ state, approvals }: DecisionInput): Text {
  const [yes, no] = (['yes', 'no'] as const).map((verdict) =>
    approvals.filter((one) => one.verdict === verdict).map((one) => one.person.userId),
  ) as [string[], string[]];
  if (state === 'expired') return ['this offer has expired; its card lets you ask again'];
  if (state === 'withdrawn') return ['it was withdrawn, the trouble has changed or gone'];
  if (state === 'denied') return ['it was denied', ...(no.length > 0 ? [' by ', ...listPeople(no)] : [])];
  return [`it is ${state} already`, ...(yes.length > 0 ? [', approved by ', ...listPeople(yes)] : [])];
}

function samePerson(a: Person, b: Person): boolean {
  return a.userId === b.userId && a.teamId === b.teamId;
}

/** More names than that nobody reads, and Slack's blocks are short. */
const maxNamed = 12;

/** The people by name, with commas; of many the first, and how many more there are. */
export function listPeople(userIds: readonly string[]): Text {
  if (userIds.length === 0) return ['nobody is configured'];
  const named = userIds.slice(0, maxNamed).flatMap((user, index) => (index === 0 ? [{ user }] : [', ', { user }]));
  return userIds.length > maxNamed ? [...named, ` and ${userIds.length - maxNamed} more`] : named;
}
