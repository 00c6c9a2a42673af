import type { Database } from './servers.ts';

export interface HotRow {
  /** Resolves when each session is done with the transaction it was in. */
  end(): Promise<void>;
}

/**
 * Sessions of two applications that all update one row, each in a short transaction that it holds for a moment: a
 * hand-over after the other, and each restarts `waitstart` of all who wait.
 */
export async function makeHotRow(database: Database, sessions: number, holdSeconds: number): Promise<HotRow> {
  await database.run('create table if not exists hot (id integer primary key, v bigint)');
  await database.run('insert into hot values (1, 0) on conflict do nothing');
  await database.run('grant all on hot to app');
  let isEnding = false;
  const loops = Array.from({ length: sessions }, async (_, index) => {
    const client = await database.client('app', index % 4 === 0 ? 'etl' : 'web');
    while (!isEnding) {
      await client.query('begin');
      await client.query('update hot set v = v + 1 where id = 1');
      if (!isEnding) await client.query('select pg_sleep($1)', [holdSeconds]);
      await client.query('commit');
    }
    await client.end();
  });
  return {
    end: async () => {
      isEnding = true;
      await Promise.all(loops);
    },
  };
}
