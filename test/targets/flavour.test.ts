import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Reader } from '../../src/targets/reader.ts';
import { createDatabase, type Database, majors } from '../support/servers.ts';

/** What each managed cloud brings along, as far as one goes by it; made on a server of our own. */
const signs: [flavour: string, make: string, unmake: string][] = [
  ['rds', 'create role rdsadmin', 'drop role rdsadmin'],
  ['rds', `alter role monitor set rds.extensions = 'hstore, pgaudit'`, 'alter role monitor reset rds.extensions'],
  ['alloydb', 'create role alloydbadmin', 'drop role alloydbadmin'],
  ['cloudsql', 'create role cloudsqladmin', 'drop role cloudsqladmin'],
  ['azure', 'create role azure_pg_admin', 'drop role azure_pg_admin'],
  [
    'aurora',
    "create function pg_catalog.aurora_version() returns text language sql as $$ select '16.6.2' $$; create role rdsadmin",
    'drop function pg_catalog.aurora_version(); drop role rdsadmin',
  ],
  [
    'aurora',
    `alter role monitor set rds.extensions = 'hstore, apg_plan_mgmt'`,
    'alter role monitor reset rds.extensions',
  ],
];

describe.each(majors)('the flavour of PostgreSQL %i', (major) => {
  let database: Database;
  let unmade = '';
  beforeAll(async () => {
    database = await createDatabase(major);
  });
  afterEach(async () => {
    if (unmade) await database.run(unmade);
    unmade = '';
  });

  async function flavourFor(user: string): Promise<string | null> {
    const reader = new Reader({ name: 'db1', url: database.url(user) });
    try {
      return (await reader.probe()).flavour;
    } finally {
      await reader.close();
    }
  }

  it('is none where nothing of a managed cloud is there', async () => {
    for (const user of ['postgres', 'monitor', 'plain']) expect(await flavourFor(user)).toBeNull();
  });

  it.each(signs)('is %s by what comes with it: %s', async (flavour, make, unmake) => {
    await database.run(make);
    unmade = unmake;
    expect(await flavourFor('monitor')).toBe(flavour);
    // What is a role's or a function's is known to all logins, and nothing fails for want of a privilege.
    if (make.startsWith('create')) expect(await flavourFor('plain')).toBe(flavour);
  });
});
