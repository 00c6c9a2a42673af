import { describe, expect, it } from 'vitest';
import type { FailureMemory } from '../../jobs/target-unreachable.outage.ts';
import { targetUnreachable } from '../../jobs/target-unreachable.ts';
import type { NodeAnswer } from '../../src/detect/job.ts';

const now = new Date(1_700_000_000_000);
const at = now.getTime() / 1000;
const role = { isStandby: false, systemIdentifier: '7', timeline: 1, login: 'monitor', seesAll: true };
const silentNode: NodeAnswer<null> = { node: 'main', role: null, facts: null, error: 'refused' };
const wellNode: NodeAnswer<null> = { node: 'second', role, facts: null, error: null };

const silent = (checks: number, secondsAgo = 0): FailureMemory => ({
  at: at - secondsAgo,
  failures: { main: checks },
  silent: checks,
});
const well = silent(0);

/** What is found on `own`, which is among all targets of those memories. */
function judge(own: string, memories: Record<string, FailureMemory | null>, answers = [silentNode]) {
  return targetUnreachable.judge(answers, {
    thresholds: {},
    now,
    isProduction: true,
    protectedBecause: () => null,
    history: () => [],
    memory: memories[own] ?? undefined,
    allTargets: { own, memories },
  });
}
const found = (...of: Parameters<typeof judge>) => judge(...of).findings.map(({ fingerprint }) => fingerprint);

describe('target-unreachable, with what is known of all targets', () => {
  it.each<[string, Parameters<typeof judge>, string[]]>([
    ['one of two', ['a', { a: silent(3), b: well }], ['main']],
    ['half of them', ['a', { a: silent(3), b: silent(9), c: well, d: well }], ['main']],
    ['more than half', ['a', { a: silent(3), b: silent(3), c: well }], ['most targets']],
    ['more than half, another tells it', ['b', { a: silent(3), b: silent(3), c: well }], []],
    ['others that were looked at a moment before', ['a', { a: silent(3), b: silent(2), c: well }], ['most targets']],
    ['itself not silent for long enough', ['a', { a: silent(2), b: silent(3), c: silent(3) }], []],
    ['others that nobody has looked at lately', ['a', { a: silent(3), b: silent(9, 121), c: well }], ['main']],
    ['others that were never looked at', ['a', { a: silent(3), b: null, c: null }], ['main']],
    ['a node that answers', ['a', { a: { ...silent(3), silent: 0 }, b: silent(3) }, [silentNode, wellNode]], ['main']],
    ['the only target', ['a', { a: silent(3) }], ['main']],
  ])('%s', (_, of, fingerprints) => {
    expect(found(...of)).toEqual(fingerprints);
  });

  it('says where it is told', () => {
    const { unjudged } = judge('b', { a: silent(3), b: silent(3), c: well });
    expect(unjudged).toMatchObject([{ node: 'main', reason: expect.stringContaining('told once, on a') }]);
  });

  it('counts the checks in a row in which no node answered', () => {
    const remember = (answers: NodeAnswer<null>[], before: FailureMemory | null) =>
      targetUnreachable.remember?.(answers, before, now) ?? null;
    const first = remember([silentNode], null);
    expect(remember([silentNode], first)).toEqual({ at, failures: { main: 2 }, silent: 2 });
    expect(remember([silentNode, wellNode], first)).toEqual({ at, failures: { main: 2 }, silent: 0 });
  });
});
