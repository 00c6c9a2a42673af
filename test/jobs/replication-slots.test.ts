import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { replicationSlots } from '../../jobs/replication-slots.ts';
import type { Server } from '../../src/demo/server.ts';
import { type Database, majors, openDatabase, ownServer } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { checkNodes } from './check-nodes.ts';

describe.each(majors)('replication-slots on PostgreSQL %i', { timeout: 60_000 }, (major) => {
  let server: Server;
  let database: Database;
  beforeAll(async () => {
    server = await ownServer(major, { min_wal_size: '32MB', max_wal_size: '32MB' });
    database = await openDatabase(server);
    return () => server.remove();
  });
  afterEach(async () => {
    await database.run('select pg_drop_replication_slot(slot_name) from pg_replication_slots');
    if (major >= 13) await database.run('alter system reset max_slot_wal_keep_size');
    await database.run('select pg_reload_conf()');
  });

  const look = async (thresholds: Record<string, number> = {}, user = 'plain') =>
    (await checkNodes(replicationSlots, { main: server.url('postgres', user) }, { thresholds })).result;
  const write = () =>
    database.run('drop table if exists parts; create table parts as select generate_series(1, 200000) n');

  it('finds nothing where there is none, and none in one that keeps nothing or little', async () => {
    expect(await look()).toMatchObject({ outcome: 'ok', unjudged: [] });
    await database.run(
      "select pg_create_physical_replication_slot('empty'), pg_create_physical_replication_slot('new', true)",
    );
    await write();
    expect(await look({ minBytes: 1 })).toMatchObject({ findings: [{ fingerprint: 'main/new' }] });
    expect(await look()).toMatchObject({ outcome: 'ok' });
  });

  it('finds one that keeps much, until it is dropped, and says what is not known', async () => {
    await database.run("select pg_create_logical_replication_slot('debezium', 'pgoutput')");
    await write();
    const { findings } = await look({ minBytes: 1_048_576 });
    expect(findings).toMatchObject([
      {
        severity: 'warning',
        title: expect.stringMatching(/^replication slot debezium keeps .* MB of WAL$/),
        subject: { kind: 'replication-slot', name: 'debezium' },
        facts: { walStatus: major < 13 ? null : expect.stringMatching(/reserved|extended/), secondsToLoss: null },
      },
    ]);
    expect(findings[0]?.summary).toContain('A logical slot that nobody uses');
    expect(findings[0]?.summary).toContain('it may fill the disk, whose size is not known here');
    await database.run("select pg_drop_replication_slot('debezium')");
    expect((await look({ minBytes: 1_048_576 })).outcome).toBe('ok');
  });

  if (major >= 17)
    it('knows since when one is unused', async () => {
      await database.run("select pg_create_physical_replication_slot('replica', true)");
      const late = await until('time to pass', async () => {
        const { findings } = await look({ minBytes: 0 });
        return (findings[0]?.facts['inactiveSeconds'] as number) > 0.1 && findings[0];
      });
      expect(late.summary).toContain('that nobody uses, for ');
    });

  if (major >= 13)
    it('finds one whose WAL was removed, and what it may keep before', async () => {
      await database.run("select pg_create_physical_replication_slot('replica', true)");
      await database.run("alter system set max_slot_wal_keep_size = '32MB'");
      await database.run('select pg_reload_conf()');
      await write();
      const kept = await until('the limit', async () => {
        const [finding] = (await look({ minBytes: 1 })).findings;
        return finding?.facts['keepBytes'] === 33_554_432 && finding;
      });
      expect(kept.summary).toContain('It may keep 32 MB (max_slot_wal_keep_size), of which ');
      const lost = await until('the WAL to be removed', async () => {
        await write();
        await database.run('select pg_switch_wal()');
        await database.run('checkpoint');
        return (await look()).findings.find(({ facts }) => facts['walStatus'] === 'lost');
      });
      expect(lost).toMatchObject({
        severity: 'critical',
        title: expect.stringContaining('is lost: WAL that it needed'),
      });
    });
});
