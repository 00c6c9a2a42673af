import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { lockChains } from '../../jobs/lock-chains.ts';
import { checkTarget, type Memory } from '../../src/detect/check.ts';
import type { Finding } from '../../src/model.ts';
import { Reader } from '../../src/targets/reader.ts';
import { type HotRow, makeHotRow } from '../support/hot-row.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, sampled } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { factsOf } from './lock-session.ts';

const thresholds = { minWaitSeconds: 4, criticalWaitSeconds: 600, criticalVictims: 500 };
/** The pace of the checks is a part of the matter. */
const everyMs = 700;

describe.each(sampled)('a row that 40 sessions update in turn, on PostgreSQL %i', (major) => {
  let database: Database;
  let reader: Reader;
  let hotRow: HotRow | null = null;
  let memory: Memory = {};
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  failOnLeaks(() => database);
  afterEach(async () => {
    await hotRow?.end();
    await reader.close();
    hotRow = null;
    memory = {};
  });

  /** One check with what the last one remembered, and what the same check finds that remembers nothing. */
  async function look(): Promise<{ found: Finding[]; forgetful: Finding[] }> {
    await sleep(everyMs);
    const target = { name: 'shop', nodes: [{ name: 'main', reader }], protectedBecause: () => null };
    const [checked, forgetful] = await Promise.all([
      checkTarget(lockChains, { ...target, memory: JSON.parse(JSON.stringify(memory)) }, thresholds),
      checkTarget(lockChains, target, thresholds),
    ]);
    memory = checked.memory;
    const own = ({ findings }: { findings: Finding[] }) => findings.filter((one) => one.database === database.name);
    return { found: own(checked.result), forgetful: own(forgetful.result) };
  }

  it('is one trouble whose waits grow, with its writers and without a runbook, however often its root changes', async () => {
    reader = new Reader({ name: 'main', url: database.url('monitor') });
    await look();
    hotRow = await makeHotRow(database, 40, 0.3);
    const all: Finding[] = [];
    let forgotten = 0;
    const longest = await until('a wait of 10 s', async () => {
      const { found, forgetful } = await look();
      all.push(...found);
      forgotten += found.length - forgetful.length;
      const seconds = Number(found[0]?.facts['longestWaitSeconds'] ?? 0);
      return seconds > 10 && found[0];
    });
    expect(new Set(all.map((one) => one.fingerprint)).size).toBe(1);
    expect(new Set(all.map((one) => JSON.stringify(one.subject))).size).toBeGreaterThan(3);
    for (const { title, summary, runbooks } of all) {
      expect(title).toMatch(/^\d+ sessions? waits? in turn for a row of public\.hot$/);
      expect(summary).toMatch(/Who wants it: web \(role app\) \d+ sessions?, etl \(role app\)/);
      expect(summary).not.toContain('at most');
      expect(runbooks).toEqual([]);
    }
    expect(longest.facts['waitSource']).toBe('first-seen');
    if (major >= 14) expect(forgotten).toBeGreaterThan(all.length / 2);
    if (major >= 14) expect(longest.evidence).toMatch(/waits \d+s \(in this place [\d.]+s\) {2}update hot/);
  });

  it('leaves nothing behind in the memory once it is over for a minute', async () => {
    reader = new Reader({ name: 'main', url: database.url('monitor') });
    hotRow = await makeHotRow(database, 5, 0.1);
    await until('somebody to wait', async () => {
      await look();
      return Object.keys((memory['main'] as { waits: object }).waits).length > 0;
    });
    await hotRow.end();
    const later = new Date(Date.now() + 61_000);
    expect(lockChains.remember?.(factsOf([]), memory['main'] as never, later)).toEqual({
      at: expect.any(Number),
      waits: {},
      holds: {},
    });
  });
});
