import { replicationSlots } from '../../../jobs/replication-slots.ts';
import { walArchiving } from '../../../jobs/wal-archiving.ts';
import { until } from '../../../test/support/wait.ts';
import { exactly, type Trial, type VerdictCase } from './case.ts';
import type { Scene } from './scene.ts';

const megabyte = 1_048_576;
const write = 'create table written as select g, md5(g::text) from generate_series(1, 100000) g';

export const slots: Trial = {
  job: replicationSlots,
  thresholds: { minBytes: 2 * megabyte },
  sayOf: ({ subject }) => ('name' in subject ? subject.name : ''),
  peer: { action: 'replication_slots', options: () => ['--warning=2 MB', '--critical=1 GB'] },
  cases: [
    slotCase('one that never kept anything', false, "select pg_create_physical_replication_slot('slot')", 'T15'),
    slotCase('an unused physical one', true, "select pg_create_physical_replication_slot('slot', true)"),
    slotCase('an unused logical one', true, "select pg_create_logical_replication_slot('slot', 'pgoutput')"),
    {
      name: 'an unused one that keeps little',
      isSick: false,
      async make(scene) {
        await scene.run('checkpoint', "select pg_create_physical_replication_slot('slot', true)");
        return exactly();
      },
      cure: dropSlot,
    },
    {
      name: 'one whose WAL was removed',
      from: 13,
      isSick: true,
      async make(scene) {
        await scene.run("select pg_create_physical_replication_slot('slot', true)");
        await scene.set(scene.primary, { max_slot_wal_keep_size: '1MB' });
        await until('it to be lost', async () => {
          await scene.run('drop table if exists written', write, 'select pg_switch_wal()', 'checkpoint');
          const look = "select from pg_replication_slots where slot_name = 'slot' and wal_status = 'lost'";
          return (await scene.on(scene.primary, 'postgres', look)).rowCount === 1;
        });
        return exactly('slot');
      },
      async cure(scene) {
        await dropSlot(scene);
        await scene.set(scene.primary, { max_slot_wal_keep_size: '-1' });
      },
    },
  ],
};

export const archiving: Trial = {
  job: walArchiving,
  thresholds: {},
  sayOf: ({ facts }) => String(facts['trouble']),
  peer: { action: 'archive_ready', options: () => ['--warning=2', '--critical=1000'] },
  cases: [
    {
      name: 'it fails since the first file',
      trap: 'T9',
      isSick: true,
      async make(scene) {
        await writeFiles(scene, 3);
        await archiverSays(scene, 'last_failed_time is not null and last_archived_time is null');
        return exactly('failing');
      },
    },
    {
      name: 'it succeeds again',
      isSick: false,
      async make(scene) {
        await scene.set(scene.primary, { archive_command: 'true' });
        await writeFiles(scene, 1);
        await archiverSays(scene, 'last_archived_time > last_failed_time');
        await until('none to wait', async () => {
          const look = "select from pg_ls_archive_statusdir() where name like '%.ready'";
          return (await scene.on(scene.primary, 'postgres', look)).rowCount === 0;
        });
        return exactly();
      },
    },
    {
      name: 'it is told to do nothing',
      isSick: true,
      async make(scene) {
        await scene.set(scene.primary, { archive_command: '' });
        await writeFiles(scene, 3);
        return exactly('nothing-set');
      },
      cure: (scene) => scene.set(scene.primary, { archive_command: 'true' }),
    },
  ],
};

function slotCase(name: string, isSick: boolean, statement: string, trap?: string): VerdictCase {
  return {
    name,
    ...(trap ? { trap } : {}),
    isSick,
    async make(scene) {
      await scene.run(statement, write);
      return isSick ? exactly('slot') : exactly();
    },
    cure: dropSlot,
  };
}

function dropSlot(scene: Scene): Promise<void> {
  return scene.run("select pg_drop_replication_slot('slot')");
}

async function writeFiles(scene: Scene, count: number): Promise<void> {
  for (let number = 0; number < count; number++)
    await scene.run('drop table if exists written', write, 'select pg_switch_wal()');
}

async function archiverSays(scene: Scene, what: string): Promise<void> {
  const look = `select from pg_stat_archiver where ${what}`;
  await until(what, async () => (await scene.on(scene.primary, 'postgres', look)).rowCount === 1);
}
