import { mkdirSync, rmdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { walArchiving } from '../../jobs/wal-archiving.ts';
import type { Server } from '../../src/demo/server.ts';
import type { Finding } from '../../src/model.ts';
import { createDatabase, type Database, majors, openDatabase, ownServer } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkJob } from './check-job.ts';

const tested = majors.filter((major) => [12, 15, 18].includes(major) || majors.length === 1);

describe.each(tested)('wal-archiving on PostgreSQL %i', (major) => {
  let server: Server;
  let database: Database;
  beforeAll(async () => {
    server = await ownServer(major, { archive_mode: 'on', archive_command: 'false' });
    database = await openDatabase(server);
  });
  afterAll(() => server?.remove());

  const check = (thresholds: Record<string, number> = {}, user = 'monitor') =>
    checkJob(walArchiving, database, { thresholds, user });
  const found = (trouble: string, thresholds?: Record<string, number>): Promise<Finding> =>
    until(`${trouble} to be found`, async () => {
      const [finding] = (await check(thresholds)).findings;
      return finding?.facts['trouble'] === trouble && finding;
    });
  async function set(settings: Record<string, string>) {
    for (const [name, value] of Object.entries(settings)) await database.run(`alter system set ${name} = '${value}'`);
    await database.run('select pg_reload_conf()');
  }
  async function write() {
    await database.run('create table if not exists notes (id integer)');
    await database.run('insert into notes values (1)');
    await database.run('select pg_switch_wal()');
  }

  it('finds archiving that has never succeeded, until it does', async () => {
    await write();
    const finding = await found('failing');
    expect(finding).toMatchObject({ severity: 'warning', facts: { archivedSecondsAgo: null, waiting: 1 } });
    expect(finding.summary).toMatch(
      /nothing was ever archived\..*\n1 WAL file waits, the oldest for .*\npg_wal has \d+ MB/,
    );
    expect(JSON.stringify(finding.facts)).not.toContain('"command"');
    await set({ archive_command: 'true' });
    await write();
    await until('it to be archived', async () => (await check()).outcome === 'ok');
  });

  it('finds archiving that fails after it has succeeded, and is critical when the room is used up', async () => {
    await set({ archive_command: 'false' });
    await write();
    const finding = await found('failing');
    expect(finding.summary).toMatch(/the last success was .* ago/);
    expect((await found('failing', { walBytes: 1 })).severity).toBe('critical');
    await set({ archive_command: 'true' });
    await write();
    await until('it to be archived', async () => (await check()).outcome === 'ok');
  });

  it('finds that nothing says how to archive', async () => {
    await set({ archive_command: '' });
    await found('nothing-set');
    await set({ archive_command: 'true' });
    await write();
    await until('it to be archived', async () => (await check()).outcome === 'ok');
  });

  it('finds finished WAL that waits while the command hangs', async () => {
    const pause = `${server.host}/pause`;
    mkdirSync(pause, { recursive: true });
    await set({ archive_command: `while test -d ${pause}; do sleep 0.1; done` });
    await write();
    const finding = await found('standing-still', { lateSeconds: 0.1 });
    expect(finding.facts['failedSecondsAgo']).not.toBeNull();
    expect((await check()).findings).toEqual([]);
    rmdirSync(pause);
    await until('it to be archived', async () => (await check({ lateSeconds: 0.1 })).findings.length === 0);
    await set({ archive_command: 'true' });
  });

  if (major >= 15)
    it('finds a library that does not load, from its WAL that waits', async () => {
      await set({ archive_command: '', archive_library: 'not_there' });
      await write();
      const finding = await found('standing-still', { lateSeconds: 0.1 });
      expect(finding.summary).toContain('archive_library not_there may not load');
      await set({ archive_library: '', archive_command: 'true' });
      await write();
      await until('it to be archived', async () => (await check({ lateSeconds: 1 })).findings.length === 0);
    });

  it('judges as a plain role what that sees, and says what it does not', async () => {
    const result = await check({}, 'plain');
    expect(result).toMatchObject({ outcome: 'cannot-judge', covered: [] });
    expect(result.unjudged[0]?.remedy).toBe('grant pg_monitor to "plain";');
  });

  it('has nothing to judge where nothing is to be archived', async () => {
    const off = await createDatabase(major);
    expect(await checkJob(walArchiving, off, { user: 'plain' })).toMatchObject({ outcome: 'ok', unjudged: [] });
  });
});
