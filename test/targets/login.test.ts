import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Reader } from '../../src/targets/reader.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';

let database: Database;
beforeAll(async () => {
  database = await createDatabase(newest);
});
failOnLeaks(() => database);

const readers: Reader[] = [];
afterEach(() => Promise.all(readers.splice(0).map((reader) => reader.close())));

function open(url: string): Reader {
  const reader = new Reader({ name: 'db1', url });
  readers.push(reader);
  return reader;
}

describe('a login', () => {
  const passwords = mkdtempSync(join(tmpdir(), 'pgorderly-login-'));
  const url = (password: string) =>
    `postgres://locked${password}@127.0.0.1:${database.server.port}/${database.name}?connect_timeout=3`;

  it('by password is let in, by a wrong one or none it is not', async () => {
    expect((await open(url(':right')).probe()).role).toBe('locked');
    const wrong = open(url(':wr0ng'));
    await expect(wrong.probe()).rejects.toMatchObject({
      code: 'target-auth',
      message: expect.not.stringContaining('wr0ng'),
    });
    await expect(open(`${url('')}&passfile=/nowhere`).probe()).rejects.toMatchObject({ code: 'target-auth' });
  });

  it('by service and password file is let in', async () => {
    const passfile = join(passwords, 'pgpass');
    const services = join(passwords, 'services.conf');
    writeFileSync(passfile, `127.0.0.1:*:*:locked:right\n`, { mode: 0o600 });
    writeFileSync(
      services,
      `[test]\nhost=127.0.0.1\nport=${database.server.port}\ndbname=${database.name}\nuser=locked\npassfile=${passfile}\n`,
    );
    try {
      const reader = open(`postgres://?service=test&servicefile=${encodeURIComponent(services)}`);
      expect(await reader.probe()).toMatchObject({ role: 'locked', database: database.name });
      expect(reader.address).toBe(`locked@127.0.0.1:${database.server.port}/${database.name}`);
    } finally {
      rmSync(passwords, { recursive: true });
    }
  });

  it('to a full server, an unknown database, as an unknown user is told apart', async () => {
    await database.run(`create role crowded login connection limit 0`);
    try {
      const crowded = open(database.url('crowded'));
      await expect(crowded.probe()).rejects.toMatchObject({
        code: 'target-unreachable',
        cause: expect.objectContaining({ code: '53300' }),
      });
    } finally {
      await database.run('drop role crowded');
    }
    await expect(open(database.server.url('nowhere')).probe()).rejects.toMatchObject({ code: 'target-auth' });
    await expect(open(database.url('nobody')).probe()).rejects.toMatchObject({ code: 'target-auth' });
  });
});
