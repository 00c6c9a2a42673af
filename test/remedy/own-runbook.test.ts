import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadLibrary } from '../../src/remedy/runbook/library.ts';
import { failOnLeaks } from '../support/leaks.ts';
import { openRemedy, planOf, type Remedy } from '../support/remedy.ts';
import { createDatabase, type Database, majors, newest } from '../support/servers.ts';

const text = `---
title: Limit how long a role may sit idle in a transaction
for: [manual]
risk: low
class: settings
node: primary
params:
  role: { type: identifier, about: the role }
  limit: { type: duration, default: 5min, about: how long }
  since: { type: lsn, default: 0/0, about: only once so much WAL was written }
  mode: { type: enum, values: [gentle, 'it''s harsh'], about: what to say of it }
locks: none
stop_when: never
settings: { work_mem: 4MB, no_such_setting_anywhere: 1 }
undo: none
timeouts: { statement: 2s, lock: 100ms, verify: 5s }
---

Is the role there?

\`\`\`sql precondition
select rolname, :'mode' as mode from pg_catalog.pg_roles
where rolname = :'role' and pg_catalog.pg_current_wal_lsn() >= :'since'::pg_lsn;
\`\`\`

\`\`\`sql act
alter role :"role" set idle_in_transaction_session_timeout = :'limit'
\`\`\`

\`\`\`sql act
comment on role :"role" is :'mode'; -- done
\`\`\`

\`\`\`sql verify
select r.rolconfig && array['idle_in_transaction_session_timeout=' || :'limit']
  and pg_catalog.shobj_description(r.oid, 'pg_authid') = :'mode' as limited
from pg_catalog.pg_roles r where r.rolname = :'role'
\`\`\`
`;

describe.each([...new Set([Math.min(...majors), newest])])("a runbook of one's own on PostgreSQL %i", (major) => {
  const folder = mkdtempSync(join(tmpdir(), 'pgorderly-own-'));
  const role = `idler "${major}" of ${process.pid}`;
  const quoted = `"${role.replaceAll('"', '""')}"`;
  let database: Database;
  let state: Database;
  let remedy: Remedy;

  beforeAll(async () => {
    writeFileSync(join(folder, 'limit-idle.md'), text);
    database = await createDatabase(major);
    state = await createDatabase(newest);
    await database.run(`create role ${quoted}`);
  });
  afterAll(async () => {
    await database.run(`drop role ${quoted}`);
    rmSync(folder, { recursive: true });
  });
  failOnLeaks(() => database);
  beforeEach(async () => {
    const actions = { settings: database.url() };
    const urls = { stateUrl: state.url(), monitorUrl: database.url('monitor'), signalUrl: database.url('actor') };
    remedy = await openRemedy({ ...urls, actions, targets: ['own'] });
    remedy.context.runbooks = await loadLibrary(folder);
  });
  afterEach(() => remedy.close());

  it('is asked for by hand with its defaults, approved, carried out and verified', async () => {
    const run = await remedy.ask('limit-idle', { role, mode: "it's harsh" });
    expect(planOf(run).params).toEqual({ role, limit: '5min', since: '0/0', mode: "it's harsh" });
    expect(
      planOf(run)
        .steps.filter(({ step }) => step === 'act')
        .map(({ sql }) => sql),
    ).toEqual([
      `alter role ${quoted} set idle_in_transaction_session_timeout = '5min'`,
      `comment on role ${quoted} is 'it''s harsh'`,
    ]);
    expect(await remedy.carryOut(run)).toMatchObject({ state: 'succeeded' });
  });

  it('is refused with every value that is wrong', async () => {
    const wrong = { role: '', limit: '5 minutes', since: '0', mode: 'harsh', rôle: 'x' };
    await expect(remedy.ask('limit-idle', wrong)).rejects.toThrow(
      `limit-idle: role is "", expected a name of 1 to 63 bytes; limit is "5 minutes", expected a duration such as 100ms, 2s, 5min, 12h or 7d; since is "0", expected an LSN such as 16/B374D848; mode is "harsh", expected one of gentle, it's harsh; "rôle" is not one of its parameters; did you mean "role"?`,
    );
  });
});
