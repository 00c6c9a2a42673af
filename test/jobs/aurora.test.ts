import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobs } from '../../jobs/index.ts';
import { nodeRoles } from '../../jobs/node-roles.ts';
import { replicationLag } from '../../jobs/replication-lag.ts';
import { replicationSlots } from '../../jobs/replication-slots.ts';
import { xminHorizon } from '../../jobs/xmin-horizon.ts';
import type { Server } from '../../src/demo/server.ts';
import { pgorderly } from '../support/command.ts';
import { majors, openDatabase, ownServer, standbyOf } from '../support/servers.ts';
import { until } from '../support/wait.ts';
import { pidOf } from './check-job.ts';
import { checkNodes } from './check-nodes.ts';
import { checkUse, pastOf } from './unused-past.ts';

/** What Aurora refuses to tell; on a writer with wal_level = logical the first two work. */
const refused = [
  'pg_last_wal_receive_lsn',
  'pg_last_wal_replay_lsn',
  'pg_last_xact_replay_timestamp',
  'pg_is_wal_replay_paused',
  'pg_stat_get_wal_receiver',
  'pg_walfile_name',
  'pg_control_checkpoint',
  'pg_ls_waldir',
];

/** In place of each a function of that name which refuses as Aurora's do: a built-in one cannot be replaced by its oid. */
const makeRefusals = `
  do $do$
  declare it record;
  begin
    for it in
      select p.oid, p.proname, pg_get_function_arguments(p.oid) as arguments, pg_get_function_result(p.oid) as result
      from pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace and p.proname = any (array['${refused.join("','")}'])
    loop
      execute format('alter function pg_catalog.%s rename to %I', it.oid::regprocedure, 'kept_' || it.proname);
      execute format(
        'create function pg_catalog.%I(%s) returns %s language plpgsql as %L',
        it.proname, it.arguments, it.result,
        format('begin raise exception ''Function %s() is currently not supported for Aurora'' using errcode = ''0A000''; end', it.proname)
      );
    end loop;
  end $do$;
  create function pg_catalog.aurora_version() returns text language sql as $$ select '16.6.2' $$;
  create role rdsadmin;
  create database rdsadmin owner rdsadmin`;

const makeReader = (held: string) => `
  create or replace function pg_catalog.aurora_db_instance_identifier() returns text language sql as
    $$ select case when pg_is_in_recovery() then 'db-1' else 'db-0' end $$;
  create or replace function pg_catalog.aurora_replica_status()
    returns table (server_id text, session_id text, feedback_xmin xid) language sql as
    $$ values ('db-0', 'MASTER_SESSION_ID', '0'::xid), ('db-1', 'd5a1', '${held}'::xid) $$`;
/** A share of autovacuum_freeze_max_age that is one transaction. */
const anyAge = { minSeconds: 0, criticalPercent: 1e-7 };

const heavy = majors.filter((major) => [12, 15, 18].includes(major));

/** A server of our own that has what Aurora has, and refuses what it refuses; its standby stands for a reader. */
describe.each(heavy)('on an Aurora cluster of PostgreSQL %i', { timeout: 60_000 }, (major) => {
  const servers: Server[] = [];
  beforeAll(async () => {
    const writer = await ownServer(major);
    servers.push(writer, await standbyOf(writer));
    const [database, replica] = await Promise.all(servers.map((server) => openDatabase(server)));
    for (const statement of makeRefusals.split(/;\n {2}(?=create (?:function|role|database))/))
      await database?.run(statement);
    await until('the reader to know', async () => {
      const { rows } = (await replica?.run("select from pg_database where datname = 'rdsadmin'")) ?? { rows: [] };
      return rows.length > 0;
    });
  }, 60_000);
  afterAll(() => Promise.all(servers.map((server) => server.remove())));

  const url = (index: number, user = 'monitor') => servers[index]?.url('postgres', user) ?? '';
  const both = () => ({ writer: url(0), reader: url(1) });

  it('says what of a reader is not judged, in place of an error or a missing standby', async () => {
    const { result: lag } = await checkNodes(replicationLag, both());
    expect(lag).toMatchObject({ outcome: 'cannot-judge', findings: [], unjudged: [{ node: 'reader' }] });
    expect(lag.reason).toContain("an Aurora reader shares the writer's storage");
    expect(lag.unjudged[0]?.remedy).toContain('aurora_replica_status()');
    const { result: slots } = await checkNodes(replicationSlots, both());
    expect(slots).toMatchObject({ outcome: 'cannot-judge', findings: [], unjudged: [{ node: 'reader' }] });
    expect((await checkNodes(replicationLag, { writer: url(0) })).result).toMatchObject({ outcome: 'ok' });
  });

  it('follows what a reader holds, as Aurora tells it, to the very session there', async () => {
    const look = async () => (await checkNodes(xminHorizon, both(), { thresholds: anyAge })).result;
    // Nobody has made the function yet: no login may call it.
    expect(await look()).toMatchObject({
      unjudged: [{ node: 'writer', remedy: expect.stringContaining('aurora_replica_status') }],
    });
    const writer = await openDatabase(servers[0] as Server);
    const reader = await (await openDatabase(servers[1] as Server)).client('app', 'reports');
    await reader.query('begin isolation level repeatable read');
    const { rows } = await reader.query(
      'select backend_xmin::text as held from pg_stat_activity where pid = pg_backend_pid()',
    );
    await writer.run(makeReader(rows[0].held));
    const finding = await until('the session', async () => {
      await writer.run('select txid_current()');
      return (await look()).findings.find(({ node }) => node === 'reader');
    });
    expect(finding.title).toBe(`pid ${pidOf(reader)} on the standby reader keeps vacuum from removing dead rows`);
    await reader.end();
    const gone = await until('it to be gone', async () =>
      (await look()).findings.find(({ node }) => node === 'writer'),
    );
    expect(gone.title).toBe('a session on the standby db-1 keeps vacuum from removing dead rows');
    await writer.run(makeReader('0'));
    expect(await look()).toMatchObject({ findings: [], unjudged: [] });
  });

  it('takes no index for unused while a reader is not watched, and finds it once all are', async () => {
    const writer = await openDatabase(servers[0] as Server);
    const reader = await openDatabase(servers[1] as Server);
    await writer.run('create table parts as select generate_series(1, 1000) as a');
    await writer.run('create index unused on parts (a)');
    await until('the reader to know', async () => (await reader.run("select to_regclass('unused') as it")).rows[0].it);
    const { samples } = await checkUse('postgres', both());
    const past = pastOf(samples, 36);
    const alone = (await checkUse('postgres', { writer: url(0) }, { past })).result;
    expect(alone).toMatchObject({ outcome: 'cannot-judge', findings: [] });
    expect(alone.unjudged[0]?.reason).toContain('queries on the standby db-1, listed by writer, are not known');
    const { findings } = (await checkUse('postgres', both(), { past })).result;
    expect(findings).toMatchObject([
      { title: 'index public.unused is not used', facts: { nodes: ['writer', 'reader'] } },
    ]);
  });

  it('judges who the writer is, and does not miss one that is not configured', async () => {
    expect((await checkNodes(nodeRoles, both())).result).toMatchObject({ outcome: 'ok', unjudged: [] });
    const { result } = await checkNodes(nodeRoles, { reader: url(1), another: url(1) });
    expect(result).toMatchObject({ outcome: 'cannot-judge', findings: [], covered: [] });
    expect(result.reason).toContain('only Aurora readers are configured');
  });

  it('no job fails, on the writer or on a reader', async () => {
    for (const job of jobs) {
      const { result } = await checkNodes(job, both());
      expect({ job: job.name, outcome: result.outcome, reason: result.reason }).not.toMatchObject({ outcome: 'error' });
    }
  });

  it('a sweep from a terminal says whose it is, and leaves its own databases out', async () => {
    const { out } = await pgorderly([
      'check',
      'invalid-indexes',
      '--all-databases',
      '--json',
      '--url',
      url(0, 'plain'),
    ]);
    expect(JSON.parse(out)).toMatchObject({ flavour: 'aurora', jobs: [{ status: 'ok', unjudged: [] }] });
    const { out: text } = await pgorderly(['check', 'invalid-indexes', '--url', url(0)]);
    expect(text).toMatch(new RegExp(`PostgreSQL ${major}\\.\\d+ \\(Amazon Aurora\\)\n`));
  });
});
