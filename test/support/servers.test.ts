import { afterAll, describe, expect, it } from 'vitest';
import { findLeaks } from './leaks.ts';
import { createDatabase, majors, newest, server, standby } from './servers.ts';
import { until } from './wait.ts';

describe.each(majors)('PostgreSQL %i', (major) => {
  it('answers as that major', async () => {
    const database = await createDatabase(major);
    const { rows } = await database.run('show server_version_num');
    expect(Math.floor(Number(rows[0].server_version_num) / 10_000)).toBe(major);
  });
});

describe('a standby', () => {
  it('streams from its primary', async () => {
    const primary = await createDatabase(newest);
    const replica = await standby(newest);
    await primary.run('create table seen (id integer)');
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: replica.url(primary.name) });
    await until('the database on the standby', async () => {
      await client.connect();
      return true;
    });
    const seen = await until('the table on the standby', async () => {
      const { rows } = await client.query("select to_regclass('seen') as it, pg_is_in_recovery() as standby");
      return rows[0].it ? rows[0] : null;
    });
    await client.end();
    expect(seen.standby).toBe(true);
    await replica.remove();
  });
});

describe('findLeaks', () => {
  it('names a session, a transaction and a prepared transaction that were left, and cleans them', async () => {
    const database = await createDatabase(newest);
    const left = await database.client('app', 'forgotten');
    await left.query("begin; prepare transaction 'left-behind'");
    const idle = await database.client('app');
    await idle.query('begin');
    const leaks = await findLeaks(await server(newest), database.name);
    expect(leaks.join('\n')).toMatch(/session pid \d+ \(forgotten, idle\)/);
    expect(leaks.join('\n')).toMatch(/open transaction pid \d+/);
    expect(leaks).toContain('prepared transaction left-behind');
    expect(await findLeaks(await server(newest), database.name)).toEqual([]);
  });

  it('names a replication slot and a publication that were left, and cleans them', async () => {
    const database = await createDatabase(newest);
    await database.run("select pg_create_logical_replication_slot('forgotten', 'pgoutput')");
    await database.run('create publication forgotten');
    expect(await findLeaks(database.server, database.name)).toEqual([
      'replication slot forgotten',
      'publication forgotten',
    ]);
    expect(await findLeaks(database.server, database.name)).toEqual([]);
  });
});

afterAll(async () => {
  expect(await findLeaks(await server(newest), 'postgres')).toEqual([]);
});
