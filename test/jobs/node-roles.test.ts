import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeRoles } from '../../jobs/node-roles.ts';
import { targetUnreachable } from '../../jobs/target-unreachable.ts';
import type { Server } from '../../src/demo/server.ts';
import type { NodeAnswer } from '../../src/detect/job.ts';
import { isCovered } from '../../src/model.ts';
import { majors, openDatabase, ownServer, standbyOf } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkNodes, Looks } from './check-nodes.ts';

describe.each(majors)('which node is what, on PostgreSQL %i', { timeout: 60_000 }, (major) => {
  const servers: Server[] = [];
  const url = (index: number) => servers[index]?.url('postgres', 'plain') ?? '';
  const urls = () => ({ first: url(0), second: url(1) });
  beforeAll(async () => {
    servers.push(await ownServer(major));
    servers.push(await standbyOf(servers[0] as Server));
  }, 60_000);
  afterAll(() => Promise.all(servers.map((server) => server.remove())));
  const look = async (nodes: Record<string, string>) => (await checkNodes(nodeRoles, nodes)).result;

  it('finds nothing in a primary with its standby, and cannot judge a standby alone', async () => {
    expect(await look(urls())).toMatchObject({ outcome: 'ok', unjudged: [] });
    expect(await look({ first: url(0) })).toMatchObject({ outcome: 'ok', unjudged: [] });
    expect(await look({ second: url(1) })).toMatchObject({ outcome: 'cannot-judge', covered: [] });
  });

  it('finds that no node is the primary', async () => {
    const { findings } = await look({ second: url(1), again: url(1) });
    expect(findings).toMatchObject([{ fingerprint: 'no-primary', severity: 'critical' }]);
  });

  it('finds a node that does not answer at the third look in a row, which resolves nothing', async () => {
    const second = servers[1] as Server;
    const looks = new Looks(targetUnreachable, urls);
    await second.stop();
    const outcomes = [await looks.look(), await looks.look(), await looks.look()];
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['error', 'error', 'findings']);
    expect(outcomes[0] && isCovered(outcomes[0].covered, { node: 'second', database: null })).toBe(false);
    expect(outcomes[2]?.findings).toMatchObject([{ node: 'second', severity: 'critical', fingerprint: 'second' }]);
    expect(await look(urls())).toMatchObject({ outcome: 'error', covered: [] });
    await second.run();
    expect(await looks.look()).toMatchObject({ outcome: 'ok' });
  });

  it('finds two primaries, until one is stopped', async () => {
    const second = await openDatabase(servers[1] as Server);
    await second.run('select pg_promote()');
    const { findings } = await until('the promotion', async () => {
      const result = await look(urls());
      return result.findings.length > 0 && result;
    });
    expect(findings).toMatchObject([
      { fingerprint: 'two-primaries', severity: 'critical', title: 'first and second are both out of recovery' },
    ]);
    expect(findings[0]?.evidence).toMatch(/first {2}primary {2}timeline 1 .*\nsecond {2}primary {2}timeline 2 /);
  });
});

describe('node-roles, by what the nodes say', () => {
  const role = { isStandby: true, systemIdentifier: '7', timeline: 1, login: 'monitor', seesAll: true };
  const answer = (node: string, more: Partial<typeof role>): NodeAnswer<null> => {
    return { node, role: { ...role, ...more }, facts: null, error: null };
  };
  const primary = answer('first', { isStandby: false, timeline: 2 });
  const silent: NodeAnswer<null> = { node: 'second', role: null, facts: null, error: 'refused' };
  const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000);

  function judge(answers: NodeAnswer<null>[], seconds: number) {
    const memory = nodeRoles.remember?.(answers, nodeRoles.remember([primary], null, at(-30)), at(0));
    const later = nodeRoles.remember?.(answers, memory ?? null, at(seconds));
    const context = { thresholds: { timelineSeconds: 300 }, now: at(0), isProduction: true, memory: later };
    return nodeRoles.judge(answers, { ...context, protectedBecause: () => null, history: () => [] });
  }

  it.each([
    ['the same timeline', answer('second', { timeline: 2 }), 0, []],
    ['an older one, just after a promotion', answer('second', {}), 60, []],
    ['an older one for long', answer('second', {}), 300, ['timeline second']],
    ['a newer one', answer('second', { timeline: 3 }), 0, ['timeline second']],
    ['another cluster', answer('second', { systemIdentifier: '8', timeline: 9 }), 600, ['system-identifiers']],
    ['no answer', silent, 600, []],
  ])('%s', (_, second, seconds, expected) => {
    expect(judge([primary, second], seconds).findings.map(({ fingerprint }) => fingerprint)).toEqual(expected);
  });

  it('does not say that there is no primary while one node is silent', () => {
    const { findings, unjudged } = judge([answer('first', {}), silent], 0);
    expect(findings).toEqual([]);
    expect(unjudged).toMatchObject([{ reason: 'second: refused, so its role is not known' }]);
  });
});
