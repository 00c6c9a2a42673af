import { rows, settled, type TableCase, text } from './table-case.ts';

/** What a query may not take for granted, each by itself. */
const plain = `create table $t as select g as id, g % 7 as kind, ${text(20, 60)} as note, now() as at from ${rows(50_000)}`;
const narrow = `create table $t as select g as id, g as other from ${rows(120_000)}`;
const alternating = `create table $t as select g % 2 = 0 as a, g::bigint as b, true as c, g::bigint as d, false as e, g::bigint as f from ${rows(60_000)}`;

/** Cases that estimators get wrong, and clean ones beside them. */
export const knownTables: readonly TableCase[] = [
  { name: 'clean', statements: [plain, settled] },
  { name: 'clean_narrow', statements: [narrow, settled] },
  { name: 'clean_bool_int8', statements: [alternating, settled] },
  {
    name: 'clean_no_fit',
    statements: [
      `create table $t as select g as id, repeat('x', 2600)::text as v from ${rows(1)} where false`,
      'alter table $t alter v set storage plain',
      `insert into $t select g, rpad('', 2600, 'x') from ${rows(2500)}`,
      settled,
    ],
  },
  {
    name: 'clean_no_fit_char',
    statements: [
      `create table $t (id bigint, v char(1500))`,
      'alter table $t alter v set storage plain',
      `insert into $t select g, 'a' from ${rows(4000)}`,
      settled,
    ],
  },
  {
    name: 'clean_fillfactor_50',
    statements: [
      `create table $t (id int, v text) with (fillfactor = 50)`,
      `insert into $t select g, ${text(10, 90)} from ${rows(40_000)}`,
      settled,
    ],
  },
  {
    name: 'clean_fillfactor_70',
    statements: [
      `create table $t (id int, w bigint) with (fillfactor = 70)`,
      `insert into $t select g, g from ${rows(80_000)}`,
      settled,
    ],
  },
  {
    name: 'clean_nulls',
    statements: [
      `create table $t as select g as id, case when g % 10 = 0 then g::bigint end as a, case when g % 3 = 0 then ${text(5, 30)} end as b, g::bigint as c from ${rows(70_000)}`,
      settled,
    ],
  },
  {
    name: 'clean_many_nullable',
    statements: [
      `create table $t as select g as id, ${Array.from({ length: 12 }, (_, n) => `case when g % ${n + 2} = 0 then g::bigint end as c${n}`).join(', ')} from ${rows(50_000)}`,
      settled,
    ],
  },
  {
    name: 'clean_matview',
    statements: [`create materialized view $t as select g as id, ${text(20, 40)} as v from ${rows(60_000)}`, settled],
  },
  {
    name: 'matview_refreshed',
    statements: [
      `create materialized view $t as select g as id, ${text(20, 40)} as v from ${rows(40_000)}`,
      `create unique index on $t (id)`,
      settled,
    ],
  },
  { name: 'deleted_90', statements: [plain, 'delete from $t where id % 10 <> 0', settled] },
  { name: 'deleted_50', statements: [plain, 'delete from $t where id % 2 = 0', settled] },
  { name: 'deleted_range', statements: [plain, 'delete from $t where id between 5000 and 30000', settled] },
  { name: 'deleted_blocks', statements: [plain, 'delete from $t where (id / 1000) % 3 <> 0', settled] },
  { name: 'deleted_random_30', statements: [plain, 'delete from $t where random() < 0.3', settled] },
  { name: 'deleted_all_but_last', statements: [narrow, 'delete from $t where id < 119990', settled] },
  { name: 'deleted_narrow', statements: [narrow, 'delete from $t where id % 3 <> 0', settled] },
  { name: 'deleted_not_vacuumed', statements: [plain, settled, 'delete from $t where id % 4 <> 0', 'analyze $t'] },
  { name: 'stale_deleted', isUnknowable: true, statements: [plain, settled, 'delete from $t where id % 10 <> 0'] },
  {
    name: 'stale_deleted_vacuumed',
    isUnknowable: true,
    statements: [plain, 'analyze $t', 'delete from $t where id % 5 <> 0', 'vacuum $t'],
  },
  {
    name: 'stale_widths',
    isUnknowable: true,
    statements: [
      `create table $t as select g as id, ${text(200, 300)} as v from ${rows(20_000)}`,
      settled,
      "update $t set v = 'x'",
      'vacuum $t',
    ],
  },
  { name: 'no_statistics', isUnknowable: true, statements: [plain, 'delete from $t where id % 2 = 0', 'vacuum $t'] },
  { name: 'never_touched', isUnknowable: true, statements: [plain] },
  { name: 'updated_once', statements: [plain, 'update $t set kind = kind + 1', settled] },
  {
    name: 'updated_thrice',
    statements: [plain, ...[1, 2, 3].flatMap(() => ['update $t set kind = kind + 1', 'vacuum $t']), settled],
  },
  {
    name: 'updated_hot',
    statements: [
      `create table $t (id int primary key, v int) with (fillfactor = 80)`,
      `insert into $t select g, 0 from ${rows(60_000)}`,
      'update $t set v = 1 where id % 10 = 0',
      settled,
    ],
  },
  {
    name: 'dropped_columns',
    statements: [
      `create table $t as select g as id, ${text(100, 200)} as a, ${text(50, 100)} as b, g::bigint as c from ${rows(20_000)}`,
      'alter table $t drop a, drop b',
      settled,
    ],
  },
  {
    name: 'dropped_bigints',
    statements: [
      `create table $t as select g as id, g::bigint as a, g::bigint as b, g::bigint as c, g as d from ${rows(70_000)}`,
      'alter table $t drop a, drop b',
      settled,
    ],
  },
  {
    name: 'fast_default',
    statements: [
      `create table $t as select g as id from ${rows(100_000)}`,
      "alter table $t add w text default 'a default that is written nowhere yet', add x bigint default 1",
      settled,
    ],
  },
  {
    name: 'fast_default_deleted',
    statements: [plain, 'alter table $t add x bigint default 1', 'delete from $t where id % 3 = 0', settled],
  },
  {
    name: 'toast_clean',
    statements: [
      `create table $t as select g as id, (select string_agg(md5(g::text || n), '') from generate_series(1, 150) n) as v from ${rows(1500)}`,
      settled,
    ],
  },
  {
    name: 'toast_deleted',
    statements: [
      `create table $t as select g as id, (select string_agg(md5(g::text || n), '') from generate_series(1, 120) n) as v from ${rows(2000)}`,
      'delete from $t where id % 3 <> 0',
      settled,
    ],
  },
  {
    name: 'toast_full_chunks',
    statements: [
      `create table $t as select g as id, (select string_agg(md5(g::text || n), '') from generate_series(1, 249) n) as v from ${rows(1200)}`,
      'delete from $t where id % 2 = 0',
      settled,
    ],
  },
  {
    name: 'toast_in_line',
    statements: [
      `create table $t as select g as id, ${text(900, 1100)} as v, ${text(300, 500)} as w from ${rows(5000)}`,
      settled,
    ],
  },
  {
    name: 'partitions',
    statements: [
      'create table $t (id int, v text) partition by range (id)',
      ...[0, 1, 2, 3].map(
        (n) => `create table $t_${n} partition of $t for values from (${n * 20_000}) to (${(n + 1) * 20_000})`,
      ),
      `insert into $t select g - 1, ${text(20, 40)} from ${rows(80_000)}`,
      'delete from $t where id >= 40000 and id % 5 <> 0',
      settled,
    ],
  },
  {
    name: 'numeric_and_dates',
    statements: [
      `create table $t as select g as id, (random() * 10 ^ (g % 12))::numeric(20, 4) as amount, current_date + g % 1000 as day, g % 2 = 0 as flag, gen.uuid from (select g, md5(g::text)::uuid as uuid from ${rows(50_000)}) gen (g, uuid)`,
      settled,
    ],
  },
  {
    name: 'arrays_and_json',
    statements: [
      `create table $t as select g as id, array[g, g + 1, g + 2] as a, jsonb_build_object('k', g, 'name', ${text(3, 20)}) as j, array[g::bigint] as b from ${rows(30_000)}`,
      'delete from $t where id % 4 = 0',
      settled,
    ],
  },
];
