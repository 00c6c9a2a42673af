import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import { startBot } from '../support/bot.ts';
import { makeRowLockStorm } from '../support/illness.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type SlackMessage, type StrictSlack, startSlack, textOf } from '../support/slack.ts';
import { until } from '../support/wait.ts';

const channel = 'C0OPS';
const ana = 'U0ANA';

describe('reports', () => {
  let slack: StrictSlack;
  let watched: Database;
  let other: Database;
  let state: Database;
  let bots: Service[] = [];
  beforeAll(async () => {
    [watched, other, state] = [
      await createDatabase(newest),
      await createDatabase(newest),
      await createDatabase(newest),
    ];
    await watched.run('create table t (a integer, b integer)');
    for (const name of ['one', 'two', 'three']) await watched.run(`create index ${name} on t (a)`);
    await other.run(`revoke connect on database ${other.name} from public`);
    slack = await startSlack();
    const start = () =>
      startBot({
        slack,
        stateUrl: state.url(),
        monitorUrl: watched.url('monitor'),
        target: `    databases: [${watched.name}, ${other.name}]`,
        jobs: '  duplicate-indexes: { thresholds: { minBytes: 0 } }',
        timing: { leaseSeconds: 5, sweepSeconds: 0.3, patienceSeconds: 5 },
      });
    // Two replicas on a new state database: what is posted twice is seen.
    bots = [await start(), await start()];
    await until('the bots to be connected', () => slack.connected === 2);
  });
  afterAll(async () => {
    await Promise.all(bots.map((bot) => bot.stop()));
    await slack?.stop();
  });

  const reports = async () => (await slack.messages(channel)).filter((message) => textOf(message).startsWith('📋'));
  const nth = (count: number) =>
    until(`report ${count}`, async () => {
      const all = await reports();
      return all.length >= count && (all.sort((a, b) => Number(a.ts) - Number(b.ts))[count - 1] as SlackMessage);
    });
  const command = (text: string) => slack.command({ user: ana, channel, text });
  const answer = (words: string) =>
    slack.waitForMessage(channel, (message) => message.ephemeral_to === ana && textOf(message).includes(words));

  it('begin with a first look, once, in place of an alert for each', async () => {
    const text = textOf(await nth(1));
    expect(text).toContain('shop · first look');
    expect(text).toContain('2 things to look at; checked 1 database for duplicate-indexes.');
    expect(text).toContain(`${watched.name} · *index public.three repeats public.one* · 8.0 kB`);
    expect(text).toContain('public.one is the older one');
    expect(text).toContain(`cannot judge: database ${other.name}: the role monitor may not connect`);
    expect(text).toContain(`grant connect on database "${other.name}" to "monitor";`);
    expect(await slack.messages(channel)).toHaveLength(1);
  });

  it('let each line open what is known of it', async () => {
    const { ts, blocks } = await nth(1);
    const buttons = JSON.stringify(blocks).match(/"action_id":"plan","text":\{[^}]*\},"value":"(alert:\d+)"/);
    await slack.click({ user: ana, channel, ts, actionId: 'plan', value: buttons?.[1] ?? '' });
    const details = await until('the details', async () => {
      const text = textOf({ blocks: (await slack.modal())?.blocks ?? [] });
      return text.includes('"keep"') && text;
    });
    expect(details).toContain('public.one');
    expect(details).toContain('shop is observe-only for drop-index-concurrently');
    await slack.closeView(ana);
  });

  it('come at once to who asks, with what is known now; /pg status counts none of it as an alert', async () => {
    await watched.run('drop index two, three');
    await other.run(`grant connect on database ${other.name} to public`);
    await command('check duplicate-indexes');
    await answer('duplicate-indexes ok');
    await command('report');
    await answer('The report on shop comes in <#C0OPS>.');
    expect(textOf(await nth(2))).toContain('Nothing to report on shop: checked 2 databases for duplicate-indexes.');
    await command('status');
    expect(textOf(await answer('Audit head'))).toContain('0 alerts firing');
    await command('report nowhere');
    await answer('There is no target');
  });

  it('come each week at their time, once, also if nobody was there at that time', async () => {
    const { rows } = await state.run('select report_due_at from pgorderly.targets');
    expect(rows[0].report_due_at.getTime()).toBeGreaterThan(Date.now());
    await state.run("update pgorderly.targets set report_due_at = now() - interval '3 hours'");
    expect(textOf(await nth(3))).toContain('shop · weekly report');
    const due = await state.run('select report_due_at > now() as next from pgorderly.targets');
    expect(due.rows).toEqual([{ next: true }]);
    expect(await reports()).toHaveLength(3);
    expect(slack.violations).toEqual([]);
  });

  it('say, after two weeks of only watching, what would have been offered and whether it was still needed', async () => {
    const storm = await makeRowLockStorm(watched);
    await until('it to be found twice', async () => {
      const { rows } = await state.run(
        "select from pgorderly.alerts where job = 'lock-chains' and last_seen_at > fired_at + interval '1 s'",
      );
      return rows.length === 1;
    });
    await storm.end();
    await state.run("update pgorderly.reports set made_at = made_at - interval '14 days'");
    const text = textOf(await nth(4));
    expect(text).toContain('shop · 14 days of watching only');
    expect(text).toMatch(/3 fixes would have been offered; \d of them still needed at the next look\./);
    expect(text).toContain('drop-index-concurrently* · 2 offered');
    expect(text).toMatch(/terminate-session\* · 1 offered, 1 still needed; (they lasted|none is over yet)/);
    expect(text).toContain('To have them offered, give it a login: `nodes[].actions.ddl, nodes[].actions.signal`');
    expect(slack.violations).toEqual([]);
  });
});
