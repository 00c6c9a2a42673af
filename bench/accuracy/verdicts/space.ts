import { indexBloat } from '../../../jobs/index-bloat.ts';
import { tableBloat } from '../../../jobs/table-bloat.ts';
import { vacuumDebt } from '../../../jobs/vacuum-debt.ts';
import type { Finding } from '../../../src/model.ts';
import { exactly, type Trial } from './case.ts';

const nameOf = ({ subject }: Finding) => ('name' in subject ? subject.name : '');
/** Before 15 statistics come half a second late. */
const pauseSeconds = 1.5;
const settled = 'vacuum analyze t';
const rows = (count: number) =>
  `create table t as select g as id, g % 20 as kind, md5(g::text) as note from generate_series(1, ${count}) g`;

export const tables: Trial = {
  job: tableBloat,
  thresholds: { minBytes: 1_048_576, minRatio: 0.4 },
  pauseSeconds,
  sayOf: nameOf,
  // How near it comes is in the part about bloat.
  peer: null,
  cases: [
    {
      name: '25 MB, of which 82 % are free',
      trap: 'T12',
      isSick: true,
      async make(scene) {
        await scene.run(rows(400_000), 'delete from t where id % 11 > 1', settled);
        return exactly('t');
      },
    },
    {
      name: 'modified and vacuumed, but not analyzed',
      trap: 'T10',
      isSick: true,
      async make(scene) {
        await scene.run(rows(200_000), settled, "update t set note = ''", 'vacuum t');
        return exactly('t');
      },
    },
  ],
};

export const indexes: Trial = {
  job: indexBloat,
  thresholds: { minBytes: 262_144, minRatio: 0.4 },
  pauseSeconds,
  sayOf: nameOf,
  peer: null,
  cases: [
    {
      name: 'few distinct keys, just built',
      trap: 'T11',
      isSick: false,
      async make(scene) {
        await scene.run(rows(200_000), 'create index merged on t (kind)', settled);
        return exactly();
      },
    },
    {
      name: 'few distinct keys, nine of ten rows deleted',
      trap: 'T11',
      isSick: true,
      async make(scene) {
        const ill = 'delete from t where id % 10 <> id / 20 % 10';
        await scene.run(rows(200_000), 'create index merged on t (kind)', ill, settled);
        return exactly('merged');
      },
    },
  ],
};

export const debt: Trial = {
  job: vacuumDebt,
  thresholds: {},
  pauseSeconds,
  sayOf: nameOf,
  peer: { action: 'last_vacuum', options: () => ['--warning=1 day', '--critical=30 days'] },
  cases: [
    {
      name: 'half of the rows dead',
      isSick: true,
      async make(scene) {
        await scene.run(rows(100_000), settled, 'delete from t where id % 2 = 0');
        return exactly('t');
      },
    },
    {
      name: 'modified and vacuumed, but not analyzed',
      trap: 'T10',
      isSick: false,
      async make(scene) {
        await scene.run(rows(200_000), settled, "update t set note = ''", 'vacuum t');
        return exactly();
      },
    },
  ],
};
