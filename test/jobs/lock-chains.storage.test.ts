import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { pidOf } from './check-job.ts';
import { LockScene, waitersOf } from './lock-scene.ts';

const slowly = 'set vacuum_cost_delay = 25; set vacuum_cost_limit = 1';

/** Locks below the table, which a server takes by itself and mostly for less than a millisecond. */
describe.each(majors)('lock-chains on PostgreSQL %i', (major) => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  failOnLeaks(() => database);
  const scene = new LockScene(() => database);

  it('names who holds the page lock of a GIN index, and the table by its index', async () => {
    await database.run('create table documents (words integer[])');
    await database.run('create index documents_words on documents using gin (words) with (fastupdate = on)');
    await database.run(
      'insert into documents select array(select i * 1000 + g from generate_series(1, 300) i) from generate_series(1, 60) g',
    );
    const vacuum = await scene.session([slowly]);
    const vacuuming = scene.ask(vacuum, 'vacuum documents');
    await until('the page lock', async () => {
      const { rows } = await database.run("select from pg_locks where locktype = 'page' and granted");
      return rows.length > 0;
    });
    const cleaner = await scene.waiter("select gin_clean_pending_list('documents_words')");
    const [finding, ...others] = await scene.look({ waiting: 1 });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      subject: { pid: pidOf(vacuum) },
      facts: { object: 'a page of public.documents_words' },
    });
    expect(waitersOf(finding)).toMatchObject([{ pid: pidOf(cleaner), blockedBy: [pidOf(vacuum)] }]);
    await scene.cancel(vacuum);
    await vacuuming;
  });

  describe('while a table is extended', () => {
    let writers: number[] = [];
    const signal = (name: 'SIGSTOP' | 'SIGCONT') => {
      for (const pid of writers) process.kill(pid, name);
    };
    afterEach(() => {
      signal('SIGCONT');
      writers = [];
    });

    it('names who holds the lock for that', async () => {
      const clients = await Promise.all(Array.from({ length: 4 }, () => scene.session([])));
      writers = clients.map(pidOf);
      const finding = await until('some to wait for the one who extends it', async () => {
        await database.run('drop table if exists facts; create table facts (line text) with (fillfactor = 10)');
        const rows = "insert into facts select repeat('x', 2000) from generate_series(1, 3000)";
        const inserting = clients.map((client) => scene.ask(client, rows));
        await until('rows', async () => (await sizeOf('facts')) > 0);
        signal('SIGSTOP');
        // Who was stopped within a lightweight lock may keep us waiting too.
        const thaw = setTimeout(() => signal('SIGCONT'), 1000);
        const found = (await isWaitedFor()) && (await scene.look())[0];
        clearTimeout(thaw);
        if (found) return found;
        signal('SIGCONT');
        await Promise.all(inserting);
      });
      expect(finding.facts).toMatchObject({ object: 'the extension of public.facts' });
      expect(waitersOf(finding)[0]).toMatchObject({ mode: 'ExclusiveLock', object: 'the extension of public.facts' });
    });

    async function sizeOf(table: string): Promise<number> {
      const { rows } = await database.run('select pg_relation_size($1)::int as bytes', [table]);
      return rows[0].bytes;
    }

    async function isWaitedFor(): Promise<boolean> {
      const { rows } = await database.run("select from pg_locks where locktype = 'extend' and not granted");
      return rows.length > 0;
    }
  });
});
