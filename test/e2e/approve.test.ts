import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import { startBot } from '../support/bot.ts';
import { makeRowLockStorm } from '../support/illness.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

let slack: StrictSlack;
let watched: Database;
let state: Database;
let bot: Service;

beforeAll(async () => {
  [watched, state] = [await createDatabase(newest), await createDatabase(newest)];
  slack = await startSlack();
  bot = await startBot({
    slack,
    stateUrl: state.url(),
    monitorUrl: watched.url('monitor'),
    signalUrl: watched.url('actor'),
  });
});

afterAll(async () => {
  await bot?.stop();
  await slack?.stop();
});

describe('an alert whose fix is approved', () => {
  it('goes from trouble to a verified, audited end', async () => {
    const storm = await makeRowLockStorm(watched, 2, 2);
    const card = await slack.waitForMessage('C0OPS', (message) => textOf(message).includes('2 sessions wait'));
    expect(textOf(card)).toContain(`a.pid = '${storm.rootPid}'::int`);
    await slack.click({ user: 'U0MIRA', channel: 'C0OPS', ts: card.ts, actionId: 'approve' });
    await storm.through;
    const resolved = await until('the card to be resolved', async () => {
      const now = (await slack.messages('C0OPS')).find((message) => message.ts === card.ts);
      return now && textOf(now).includes('🟢') ? textOf(now) : null;
    });
    expect(resolved).toContain('waiting sessions 2 → 0');
    expect(resolved).toContain('<@U0MIRA>');
    const thread = await until('the steps in the thread', async () => {
      const lines = (await slack.thread('C0OPS', card.ts)).map(textOf).join('\n');
      return lines.includes('verify') ? lines : null;
    });
    expect(thread).toMatch(/approved by <@U0MIRA>[\s\S]*guards[\s\S]*act: sent = true[\s\S]*verified after/);
    const { rows } = await state.run("select entry::jsonb ->> 'kind' as kind from pgorderly.audit order by seq");
    expect(rows.map((row) => row.kind)).toEqual([
      'alert.opened',
      'run.proposed',
      'run.approved',
      'run.sent',
      'run.succeeded',
      'alert.resolved',
    ]);
    expect(slack.violations).toEqual([]);
    await storm.end();
  });
});
