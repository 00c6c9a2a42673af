import { describe, expect, it } from 'vitest';
import { majors, openDatabase, standby } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { refusalOf, saysOf, useGuardWard } from './guard-ward.ts';

const heavy = majors.filter((major) => [12, 15, 18].includes(major));
const megabyte = 1024 ** 2;

describe.each(heavy)('a run that would stop itself at once is not started, on PostgreSQL %i', (major) => {
  const ward = useGuardWard(major);
  const stopWhen = { waiting: 5, afterMs: 15_000, standbyLagBytes: megabyte, slotWalBytes: megabyte };
  const writeWal = (bytes: number) =>
    ward.database.run('insert into shop.orders select n, repeat($2, 100) from generate_series(1000, $1::int) n', [
      1000 + Math.ceil(bytes / 100),
      'x',
    ]);

  it('while a standby is too far behind', async () => {
    const replica = await openDatabase(await standby(major));
    const run = await ward.approved();
    await replica.run('select pg_wal_replay_pause()');
    await writeWal(2 * megabyte);
    const reason = async () => refusalOf(await ward.judge(run, { plan: { stopWhen } }));
    const why =
      /^the standby walreceiver is \d\.\d MB behind, and the run would stop at 1\.0 MB: let it catch up first$/;
    expect(await until('the lag', reason)).toMatch(why);
    expect(saysOf(await ward.judge(run))).toContainEqual(expect.stringMatching(/^standby lag \d\.\d MB$/));
    expect(refusalOf(await ward.judge(run, { plan: { stopWhen: null } }))).toBeNull();
    await replica.run('select pg_wal_replay_resume()');
    await until('it to have caught up', async () => (await reason()) === null);
  });

  it('while a slot keeps too much WAL', async () => {
    const run = await ward.approved();
    await ward.database.run("select pg_create_physical_replication_slot('forgotten', true)");
    await writeWal(2 * megabyte);
    const many = { ...stopWhen, standbyLagBytes: 2 ** 40, slotWalBytes: 2 ** 40 };
    const said = saysOf(await ward.judge(run, { plan: { stopWhen: many } }));
    expect(said).toContainEqual(expect.stringMatching(/, slots keep \S+ MB of WAL at the most$/));
    const few = { ...stopWhen, standbyLagBytes: 2 ** 40 };
    const why = /^the replication slot forgotten keeps \S+ MB of WAL, and the run would stop at 1\.0 MB: see to it/;
    expect(refusalOf(await ward.judge(run, { plan: { stopWhen: few } }))).toMatch(why);
    await ward.database.run("select pg_drop_replication_slot('forgotten')");
    expect(refusalOf(await ward.judge(run, { plan: { stopWhen: few } }))).toBeNull();
  });
});
