import { beforeAll, describe, expect, it } from 'vitest';
import { pgorderly } from '../support/command.ts';
import { makeRowLockStorm } from '../support/illness.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';

describe('what pgorderly check prints for people', () => {
  let database: Database;
  beforeAll(async () => {
    database = await createDatabase(newest);
  });
  failOnLeaks(() => database);

  it('names the finding, its proof and its fix, and sums up in one line, without colour in a pipe', async () => {
    const storm = await makeRowLockStorm(database);
    const words = ['check', 'lock-chains', '--threshold', 'lock-chains.minWaitSeconds=0'];
    const { out } = await pgorderly([...words, '--url', database.url('monitor')]);
    await storm.end();
    expect(out).toMatch(
      /^● lock-chains findings \(\d+ ms\)\n {2}warning 2 sessions wait behind one idle transaction\n/m,
    );
    expect(out).toMatch(new RegExp(`^ {4}${storm.rootPid} idle in transaction .*\\$1`, 'm'));
    expect(out).toMatch(/^ {4}fix: terminate-session · ends pid/m);
    expect(out).toMatch(/\n\n1 job: 0 critical, 1 warning\n$/);
    expect(out).not.toContain('\u001b');
    expect(out).not.toContain("'mine'");
  });

  it('counts a note as no warning', async () => {
    const named = "crm connection 'host=127.0.0.1 port=1' publication shop with (connect = false, slot_name = none)";
    await database.run(`create subscription ${named}`);
    const { out, code } = await pgorderly(['check', 'logical-replication', '--url', database.url('monitor')]);
    await database.run('drop subscription crm');
    expect(out).toContain('\n  info subscription crm is disabled\n');
    expect(out).toMatch(/\n\n1 job: 0 critical, 0 warning, 1 info\n$/);
    expect(code).toBe(0);
  });

  it('gives the GRANT for what was not judged as SQL of its own line', async () => {
    const { out } = await pgorderly(['check', 'lock-chains', 'long-transactions', '--url', database.url('plain')]);
    expect(out).toMatch(/^ {4}grant pg_monitor to "plain";?$/m);
    expect(out).toMatch(/\d+ not fully judged\n$/);
  });

  it('shows nothing of what a name tells a terminal to do', async () => {
    await database.run('create role "mal\u001b]0;ory\u0007" login');
    const holder = await database.client('mal\u001b]0;ory\u0007');
    await holder.query('begin; select txid_current()');
    const words = ['check', 'all', '--threshold', 'long-transactions.idleSeconds=0', '--url', database.url('monitor')];
    const { out } = await pgorderly(words);
    await holder.end();
    await database.run('drop role "mal\u001b]0;ory\u0007"');
    expect(out).toContain('role mal ]0;ory ');
    for (const sign of ['\u001b', '\u0007']) expect(out).not.toContain(sign);
  });
});
