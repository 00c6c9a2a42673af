import { replicationLag } from '../../../jobs/replication-lag.ts';
import { until } from '../../../test/support/wait.ts';
import { exactly, type Trial } from './case.ts';
import type { Scene } from './scene.ts';

const megabyte = 1_048_576;
const write = 'create table written as select g, md5(g::text) from generate_series(1, 100000) g';

export const lag: Trial = {
  job: replicationLag,
  thresholds: { minBytes: 2 * megabyte, minSeconds: 60, missingSeconds: 0 },
  pauseSeconds: 1.5,
  sayOf: ({ subject }) => ('name' in subject ? subject.name : ''),
  peer: {
    action: 'hot_standby_delay',
    options: ({ primary, standby }) => [
      `--host=${primary.host},${standby.host}`,
      `--port=${primary.port},${standby.port}`,
      `--warning=${2 * megabyte}`,
      '--critical=1000000000',
    ],
  },
  cases: [
    {
      name: 'all is replayed, and nobody writes',
      isSick: false,
      async make(scene) {
        await caughtUp(scene);
        return exactly();
      },
    },
    {
      name: 'replay is paused, and nobody writes',
      isSick: false,
      async make(scene) {
        await caughtUp(scene);
        await scene.on(scene.standby, 'postgres', 'select pg_wal_replay_pause()');
        return exactly();
      },
      cure: resume,
    },
    {
      name: 'replay is paused behind many writes',
      isSick: true,
      async make(scene) {
        await caughtUp(scene);
        await scene.on(scene.standby, 'postgres', 'select pg_wal_replay_pause()');
        await scene.run(write);
        return exactly('standby');
      },
      cure: resume,
    },
    {
      name: 'it is told to replay an hour later, and has received all',
      isSick: false,
      async make(scene) {
        await caughtUp(scene);
        await scene.set(scene.standby, { recovery_min_apply_delay: '1h' });
        await scene.run(write);
        await scene.on(scene.primary, 'postgres', 'select pg_switch_wal()');
        return exactly();
      },
      async cure(scene) {
        await scene.set(scene.standby, { recovery_min_apply_delay: '0' });
        await caughtUp(scene);
      },
    },
    {
      name: 'cut off after all was replayed',
      from: 13,
      isSick: true,
      async make(scene) {
        await caughtUp(scene);
        await cutOff(scene);
        return exactly('standby');
      },
      cure: reconnect,
    },
    {
      name: 'cut off behind many writes, and has replayed all that it has',
      from: 13,
      isSick: true,
      async make(scene) {
        await caughtUp(scene);
        await cutOff(scene);
        await scene.run(write);
        return exactly('standby');
      },
      cure: reconnect,
    },
  ],
};

async function resume(scene: Scene): Promise<void> {
  await scene.on(scene.standby, 'postgres', 'select pg_wal_replay_resume()');
  await caughtUp(scene);
}

async function cutOff(scene: Scene): Promise<void> {
  await scene.set(scene.standby, { primary_conninfo: '' });
  const look = 'select from pg_stat_replication';
  await until('nobody to stream', async () => (await scene.on(scene.primary, 'postgres', look)).rowCount === 0);
}

async function reconnect(scene: Scene): Promise<void> {
  const { host, port } = scene.primary;
  await scene.set(scene.standby, { primary_conninfo: `host=${host} port=${port} user=postgres` });
  await caughtUp(scene);
}

async function caughtUp(scene: Scene): Promise<void> {
  await until('the standby to catch up', async () => {
    const { rows } = await scene.on(scene.primary, 'postgres', 'select pg_current_wal_lsn() as lsn');
    const look = `select from pg_stat_wal_receiver where pg_last_wal_replay_lsn() >= '${rows[0].lsn}'`;
    return (await scene.on(scene.standby, 'postgres', look)).rowCount === 1;
  });
}
