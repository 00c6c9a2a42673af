import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobs } from '../../jobs/index.ts';
import { invalidIndexes } from '../../jobs/invalid-indexes.ts';
import { checkTarget } from '../../src/detect/check.ts';
import type { AnyJob, Thresholds } from '../../src/detect/job.ts';
import { type CheckResult, isCovered, type Unjudged } from '../../src/model.ts';
import { Reader } from '../../src/targets/reader.ts';
import { SlowLane } from '../../src/targets/slow-lane.ts';
import { majors } from '../support/servers.ts';
import { makeSickServer, type SickServer } from './sick-server.ts';

const tested = majors.filter((major) => [12, 15, 18].includes(major) || majors.length === 1);
/** Jobs that need weeks of samples: their own tests try each login. */
const elsewhere = ['unused-indexes'];
const tried = jobs.filter(({ name }) => !elsewhere.includes(name));
/** What each login is made with. */
const made = {
  plain: 'login',
  monitor: 'login in role pg_monitor',
  reader: 'login in role pg_read_all_data',
  superuser: 'login superuser',
} as const;
type Login = keyof typeof made;

describe.each(tested)('a server of PostgreSQL %i that is ill all over', (major) => {
  const logins = Object.keys(made).filter((login) => major >= 14 || login !== 'reader') as Login[];
  let sick: SickServer;
  beforeAll(async () => {
    const roles = logins.flatMap((login) =>
      jobs.map(({ name }) => `create role ${roleOf(login, name)} ${made[login]}`),
    );
    sick = await makeSickServer(major, roles);
  });
  afterAll(() => sick?.end());

  it('has an illness for each job that one look can judge', () => {
    expect(jobs.map(({ name }) => name).filter((name) => !sick.illnesses[name] && !elsewhere.includes(name))).toEqual(
      [],
    );
  });

  describe.each(logins)('to a %s login', (login) => {
    it.each(tried.map((job) => [job.name, job] as const))('is never well by %s', async (name, job) => {
      const illness = sick.illnesses[name];
      if (!illness) throw new Error(`no illness for ${name}`);
      const urls = illness.urls(roleOf(login, name));
      const look = () => checkThrice(job, urls, illness.thresholds);
      const isFound = ({ findings }: CheckResult) => findings.some((one) => illness.isFound(one));
      const first = await look();
      expect(first.outcome, first.reason ?? '').toMatch(
        login === 'superuser' ? /^findings$/ : /^(findings|cannot-judge)$/,
      );
      if (login === enoughFor(job, major)) expect(grantsIn(first.unjudged)).toEqual([]);
      if (isFound(first)) return;
      expect(login).not.toBe('superuser');
      expect(isCovered(first.covered, { node: 'main', database: 'postgres' })).toBe(false);
      await follow(first.unjudged);
      expect((await look()).findings.filter(illness.isFound)).not.toEqual([]);
    });
  });

  it.each(logins.filter((login) => login !== 'superuser'))(
    'names the grant into a database that is closed to a %s login',
    async (login) => {
      const user = `${login}_invalid_indexes`;
      const look = () => checkThrice(invalidIndexes, { main: sick.main.url(user) }, {});
      const { covered, unjudged } = await look();
      expect(unjudged).toMatchObject([
        { database: 'closed', remedy: `grant connect on database "closed" to "${user}";` },
      ]);
      expect(isCovered(covered, { node: 'main', database: 'closed' })).toBe(false);
      await follow(unjudged);
      expect((await look()).findings.map(({ database }) => database).sort()).toEqual(['closed', 'postgres']);
    },
  );

  /** Each remedy that is a GRANT is carried out as it stands. */
  async function follow(unjudged: readonly Unjudged[]) {
    const remedies = unjudged.map(({ remedy }) => remedy).filter((remedy) => remedy.startsWith('grant '));
    expect(remedies).not.toEqual([]);
    for (const grant of remedies) await sick.main.run(grant);
  }
});

/** The least that judges all of it, by what the job says. Before 14 nothing less than a superuser may read all tables. */
function enoughFor({ needs }: AnyJob, major: number): Login {
  if (needs === 'table-statistics') return major >= 14 ? 'reader' : 'superuser';
  return needs === 'any-login' ? 'plain' : 'monitor';
}

/** Of what would let it judge more; into which databases it may go is another matter. */
function grantsIn(unjudged: readonly Unjudged[]): string[] {
  return unjudged.map(({ remedy }) => remedy).filter((remedy) => /^grant (?!connect )/.test(remedy));
}

function roleOf(login: Login, job: string): string {
  return `${login}_${job.replaceAll('-', '_')}`;
}

/** As often as it takes to call a node unreachable, with what each look remembers. */
async function checkThrice(
  job: AnyJob,
  urls: Record<string, string>,
  changes: Record<string, number>,
): Promise<CheckResult> {
  const nodes = Object.entries(urls).map(([name, url]) => ({
    name,
    reader: new Reader({ name, url }),
    lane: new SlowLane({ name, url }),
  }));
  const defaults = Object.entries(job.thresholds as Thresholds).map(([name, one]) => [name, one.default]);
  const target = { name: 'test', nodes, protectedBecause: () => null };
  const thresholds = { ...Object.fromEntries(defaults), ...changes };
  try {
    const first = await checkTarget(job, target, thresholds);
    const second = await checkTarget(job, { ...target, memory: first.memory }, thresholds);
    return (await checkTarget(job, { ...target, memory: second.memory }, thresholds)).result;
  } finally {
    await Promise.all(nodes.flatMap(({ reader, lane }) => [reader.close(), lane.close()]));
  }
}
