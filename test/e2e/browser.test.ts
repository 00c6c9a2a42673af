import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Service } from '../../src/app.ts';
import { endOf } from '../runbooks/ward.ts';
import { startBot } from '../support/bot.ts';
import { type Browser, browserAvailable, openBrowser } from '../support/browser.ts';
import { makeRowLockStorm } from '../support/illness.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { type StrictSlack, startSlack } from '../support/slack.ts';
import { until } from '../support/wait.ts';

describe.skipIf(!browserAvailable())('a person in a browser', () => {
  let slack: StrictSlack;
  let watched: Database;
  let bot: Service;
  let browser: Browser;

  beforeAll(async () => {
    watched = await createDatabase(newest);
    const state = await createDatabase(newest);
    slack = await startSlack();
    const [monitorUrl, signalUrl] = [watched.url('monitor'), watched.url('actor')];
    bot = await startBot({ slack, stateUrl: state.url(), monitorUrl, signalUrl });
    browser = await openBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await bot?.stop();
    await slack?.stop();
  });

  it('presses Approve, and the sessions that wait come through', async () => {
    const storm = await makeRowLockStorm(watched, 2, 2);
    const { page } = browser;
    await page.goto(slack.url);
    await page.locator('.actas select').selectOption('U0MIRA');
    const card = page.locator('.messages .msg', { hasText: '2 sessions wait behind one idle transaction' }).first();
    await card.getByRole('button', { name: 'Approve', exact: true }).click();
    await storm.through;
    await card.getByText('Fixed by terminate-session').waitFor();
    expect(await card.innerText()).toContain('waiting sessions 2 → 0');
    await card.locator('.thread-summary').click();
    await page.locator('.thread-pane').getByText('verified after').waitFor();
    expect(await page.locator('.badge-eph').count()).toBeGreaterThan(0);
    await storm.end();
  });

  it('cancels the migration that keeps 50 readers behind a dump; the readers go on, and so does the dump', async () => {
    await watched.run('create table if not exists entries (id integer)');
    await watched.run('alter table entries owner to app');
    const dump = await watched.client('app', 'pg_dump');
    await dump.query('begin isolation level repeatable read, read only');
    await dump.query('select from entries');
    const dumping = dump.query('select pg_sleep(300)');
    const ended = dumping.then(
      () => 'done',
      () => 'ended',
    );
    const migration = await watched.client('app', 'test');
    const altering = endOf(migration.query('alter table entries add column note text'));
    await waiting(1);
    const readers = await Promise.all(Array.from({ length: 50 }, () => watched.client('app', 'test')));
    const reading = Promise.all(readers.map((reader) => reader.query('select from entries')));
    await waiting(51);

    const { page } = browser;
    await page.goto(slack.url);
    await page.locator('.actas select').selectOption('U0MIRA');
    const card = page.locator('.messages .msg', { hasText: '51 sessions wait behind one running statement' }).first();
    await card.getByText('frees 50 of 51 waiting sessions').waitFor();
    const words = await card.innerText();
    expect(words.indexOf('cancel-queued-ddl')).toBeLessThan(words.indexOf('cancel-query'));
    expect(words).toMatch(/of pg_dump are lost; frees 51 waiting sessions/);
    expect(words).toContain('Or wait: nothing is lost, and 51 sessions wait on');
    await card.getByRole('button', { name: 'Approve', exact: true }).first().click();
    expect(await altering).toBe('57014');
    await reading;
    await card.getByText('Fixed by cancel-queued-ddl').waitFor();
    expect(await Promise.race([ended, Promise.resolve('goes on')])).toBe('goes on');
    await card.locator('.thread-summary').click();
    const thread = page.locator('.thread-pane');
    await thread.getByText('before the act').waitFor();
    expect((await thread.innerText()).match(/select from entries/g)?.length).toBeGreaterThan(30);
    await watched.run("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pg_dump'");
    await ended;
    await Promise.all([...readers, migration, dump].map((client) => client.end()));
  });

  function waiting(count: number) {
    return until(`${count} to wait`, async () => {
      const { rows } = await watched.run('select count(distinct pid)::int as count from pg_locks where not granted');
      return rows[0].count === count;
    });
  }
});
