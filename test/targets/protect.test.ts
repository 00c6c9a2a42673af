import { describe, expect, it } from 'vitest';
import { protectedBecause } from '../../src/targets/protect.ts';

const session = { pid: 1, user: 'app', application: 'shop', backendType: 'client backend' };
const none = { ownPids: () => [] };

describe('a session is protected', () => {
  it.each([
    [{}, null],
    [{ application: '' }, null],
    [{ user: null, application: null }, null],
    [{ user: 'postgres', application: 'psql' }, null],
    [{ application: 'Patroni' }, "is Patroni's connection"],
    [{ application: 'patroni restapi' }, "is Patroni's connection"],
    [{ application: 'not patroni' }, null],
    [{ application: 'pgBackRest [backup]' }, 'is a pgBackRest backup'],
    [{ user: 'barman' }, 'is a barman backup'],
    [{ application: 'barman_receive_wal' }, 'is a barman backup'],
    [{ application: 'wal-g' }, 'is a WAL-G backup'],
    [{ application: 'cnpg-instance-manager' }, "is CloudNativePG's connection"],
    [{ user: 'rdsadmin' }, "is the cloud provider's own session"],
    [{ user: 'cloudsqlagent' }, "is the cloud provider's own session"],
    [{ user: 'azuresu' }, "is the cloud provider's own session"],
    [{ user: 'alloydbadmin' }, "is the cloud provider's own session"],
    [{ user: 'pgbouncer' }, "is the pooler's own session"],
    [{ user: 'streaming_replica' }, 'belongs to a replication user'],
    [{ backendType: 'walsender' }, 'is a walsender: it feeds a standby or a backup'],
    [{ backendType: 'parallel worker' }, 'is a parallel worker: only its leader can be stopped'],
    [{ backendType: 'autovacuum worker' }, 'is an autovacuum worker'],
    [{ backendType: 'checkpointer' }, "is the server's checkpointer"],
    [{ backendType: 'pg_cron launcher' }, "is the server's pg_cron launcher"],
    [{ backendType: null }, 'is hidden from the bot, which lacks pg_read_all_stats'],
  ])('by what everybody protects: %j', (facts, reason) => {
    expect(protectedBecause(none)({ ...session, ...facts })).toBe(reason);
  });

  it.each([
    ['etl', { user: 'etl' }, true],
    ['etl', { application: 'ETL' }, true],
    ['etl', { user: 'etl_nightly' }, false],
    ['etl_*', { user: 'etl_nightly' }, true],
    ['*_ro', { application: 'report_ro' }, true],
    ['a*b*c', { user: 'a-b-b-c' }, true],
    ['a*b*c', { user: 'a-c-b' }, false],
    ['ab*ba', { user: 'aba' }, false],
    ['a.c', { user: 'abc' }, false],
    ['*', { user: 'anybody' }, true],
    ['*', { user: null, application: '' }, false],
  ])("by the config's %s: %j is %s", (name, facts, isProtected) => {
    const reason = protectedBecause({ ...none, names: [name] })({
      ...session,
      user: null,
      application: null,
      ...facts,
    });
    expect(reason).toBe(isProtected ? `is on the config's protect list (${name})` : null);
  });

  it('by its pid, if it is ours just now, and not by its application_name', () => {
    const pids: number[] = [];
    const because = protectedBecause({ ownPids: () => pids });
    expect(because({ ...session, application: 'pgorderly/detect' })).toBeNull();
    pids.push(session.pid);
    expect(because(session)).toBe("is one of pgorderly's own sessions");
  });

  it("by its login, where it is the pooler's or has the REPLICATION attribute", () => {
    const because = protectedBecause({ ...none, poolerUsers: ['edge'], replicationUsers: ['shipper'] });
    expect(because({ ...session, user: 'edge' })).toBe("is the pooler's own session");
    expect(because({ ...session, user: 'shipper' })).toBe('belongs to a replication user');
  });

  it('with its reason, when it keeps transaction ids from running out', () => {
    const vacuum = {
      ...session,
      backendType: 'autovacuum worker',
      query: 'autovacuum: VACUUM t (to prevent wraparound)',
    };
    expect(protectedBecause(none)(vacuum)).toBe('is an autovacuum that prevents wraparound');
  });
});
