import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type CheckTarget, checkTarget } from '../../src/detect/check.ts';
import { defineTargetJob, type NodeAnswer } from '../../src/detect/job.ts';
import { isCovered, type Unjudged } from '../../src/model.ts';
import { Reader } from '../../src/targets/reader.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, newest, standby } from '../support/servers.ts';

/** Counts its looks, finds whatever it is told, and notes what its judge was handed. */
function countingJob(unjudged: Unjudged[] = [], found: string[] = []) {
  const handed: { answers: readonly NodeAnswer<number>[]; isProduction: boolean; memory: number | undefined }[] = [];
  const job = defineTargetJob({
    name: 'counting',
    title: 'A job that looks at a whole target',
    delivery: 'page',
    scope: 'target',
    schedule: '0 * * * * *',
    fire: { afterSeconds: 0 },
    clear: { factor: 1, samples: 1 },
    thresholds: {},
    measures: {},
    gather: async () => 7,
    remember: (_: readonly NodeAnswer<number>[], before: number | null) => (before ?? 0) + 1,
    sample: (answers) => [{ series: 'nodes', value: answers.length }],
    judge(answers, { isProduction, memory }) {
      handed.push({ answers, isProduction, memory });
      return { findings: found.map(findingOn), unjudged };
    },
  });
  return { job, handed };
}

const findingOn = (node: string) => ({
  node,
  database: null,
  fingerprint: node,
  severity: 'warning' as const,
  title: node,
  summary: '',
  subject: { kind: 'prepared-transaction' as const, gid: node },
  facts: {},
  runbooks: [],
  impact: null,
});

describe('a job that looks at a whole target', () => {
  let database: Database;
  let urls: Record<string, string>;
  const readers: Reader[] = [];
  beforeAll(async () => {
    database = await createDatabase(newest);
    const replica = await standby(newest);
    const nowhere = 'postgres://monitor@127.0.0.1:1/postgres';
    urls = { first: database.url('monitor'), second: replica.url('postgres', 'monitor'), nowhere };
  });
  failOnLeaks(() => database);
  afterEach(async () => {
    await Promise.all(readers.splice(0).map((reader) => reader.close()));
  });

  function targetOf(...names: string[]): CheckTarget {
    const opened = names.map((name) => new Reader({ name, url: urls[name] ?? '' }));
    readers.push(...opened);
    const nodes = opened.map((reader) => ({ name: reader.name, reader }));
    return { name: 'shop', nodes, protectedBecause: () => null };
  }

  it('hands the answers of all nodes to one judge, and of one that gave none, why', async () => {
    const { job, handed } = countingJob();
    const { result, probes, samples } = await checkTarget(job, targetOf('first', 'second', 'nowhere'), {});
    const answers = handed[0]?.answers ?? [];
    expect(answers).toMatchObject([
      { node: 'first', role: { isStandby: false, login: 'monitor', seesAll: true }, facts: 7, error: null },
      { node: 'second', role: { isStandby: true }, facts: 7, error: null },
      { node: 'nowhere', role: null, facts: null, error: expect.stringContaining('refused the connection') },
    ]);
    expect(answers[0]?.role?.systemIdentifier).toBe(answers[1]?.role?.systemIdentifier);
    expect(result).toMatchObject({ outcome: 'error', databases: null });
    expect([...probes.keys()]).toEqual(['first', 'second']);
    expect(samples).toEqual([{ series: 'shop/nodes', value: 3 }]);
  });

  it('remembers for the target, and says whether it is production', async () => {
    const { job, handed } = countingJob();
    const { memory } = await checkTarget(job, targetOf('first'), {});
    expect(memory).toEqual({ shop: 1 });
    await checkTarget(job, { ...targetOf('first'), memory, isProduction: false }, {});
    expect(handed.map((one) => [one.memory, one.isProduction])).toEqual([
      [1, true],
      [1, true],
      [2, false],
      [2, false],
    ]);
  });

  it('finds on the node that its judge names', async () => {
    const { job } = countingJob([], ['second']);
    const { result } = await checkTarget(job, targetOf('first', 'second'), {});
    expect(result.findings).toMatchObject([{ job: 'counting', target: 'shop', node: 'second', fingerprint: 'second' }]);
  });

  const blindOn = (node?: string): Unjudged[] => [{ ...(node ? { node } : {}), reason: 'hidden', remedy: 'grant' }];
  it.each([
    [
      'all nodes where all was judged, also one that is configured no more',
      [],
      ['first', 'second'],
      [true, true, true],
    ],
    ['not the node where something was not judged', blindOn('second'), ['first', 'second'], [true, false, false]],
    ['nothing where nobody knows what was not judged', blindOn(), ['first', 'second'], [false, false, false]],
    ['nothing where nobody answered', [], ['nowhere'], [false, false, false]],
  ])('covers %s', async (_, unjudged, nodes, expected) => {
    const { job } = countingJob(unjudged);
    const { covered } = (await checkTarget(job, targetOf(...nodes), {})).result;
    const isAt = (node: string) => isCovered(covered, { node, database: null });
    expect(['first', 'second', 'gone'].map(isAt)).toEqual(expected);
  });
});
