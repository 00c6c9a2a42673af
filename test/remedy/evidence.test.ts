import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readEvidence } from '../../src/remedy/evidence.ts';
import type { Plan } from '../../src/remedy/plan.ts';
import { ActingSession } from '../../src/remedy/session.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';

const planOf = (sql: string) => ({ steps: [{ step: 'evidence', sql }] }) as unknown as Plan;

describe('what an act would destroy', () => {
  let database: Database;
  let session: ActingSession;
  beforeAll(async () => {
    database = await createDatabase(newest);
  });
  failOnLeaks(() => database);
  beforeEach(async () => {
    session = await ActingSession.open(database.url(), 'pgorderly/run/1', null);
  });
  afterEach(() => session.close());

  it('is told without what nobody needs, and without literals', async () => {
    const sql = `select 'app' as role, null as client, '7 MB' as held_locks, 'select ''secret''' as query`;
    expect(await readEvidence(session, planOf(sql))).toEqual({ role: 'app', 'held locks': '7 MB', query: 'select $1' });
  });

  it('is said to be unreadable, with the SQLSTATE, where it takes too long', async () => {
    expect(await readEvidence(session, planOf('select pg_sleep(5)'))).toEqual({ 'could not be read': '57014' });
  });

  it('is an error where the session is lost, so that nothing is sent', async () => {
    const lost = readEvidence(session, planOf('select pg_terminate_backend(pg_backend_pid())'));
    await expect(lost).rejects.toThrow();
  });
});
