import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import type { SlackContext } from '../../src/slack/context.ts';
import { sweepInbox, takeIn } from '../../src/slack/intake.ts';
import { StateDatabase } from '../../src/state/database.ts';
import { type NewInboxItem, storeInboxItem } from '../../src/state/inbox.ts';
import { startProxy, type Proxy as TcpProxy } from '../support/proxy.ts';
import { createDatabase, type Database, newest } from '../support/servers.ts';
import { until } from '../support/wait.ts';

const log = createLog('fatal');
let database: Database;
let proxy: TcpProxy;
let states: StateDatabase[];
/** The one whose way to the state database is the proxy, and another replica with a way of its own. */
let behindProxy: SlackContext;
let other: SlackContext;
let chat: Server;
let answers: string[] = [];

beforeAll(async () => {
  database = await createDatabase(newest);
  proxy = await startProxy({ path: `${database.server.host}/.s.PGSQL.${database.server.port}` });
  const urls = [`postgres://postgres@127.0.0.1:${proxy.port}/${database.name}`, database.url()];
  states = urls.map((url) => new StateDatabase(url, log));
  await Promise.all(states.map((state) => state.start()));
  [behindProxy, other] = states.map(contextOf) as [SlackContext, SlackContext];
  chat = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    answers.push(JSON.parse(body).text);
    response.end('ok');
  });
  await new Promise<void>((resolve) => chat.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await Promise.all(states.map((state) => state.close()));
  await proxy.close();
  chat.close();
});

describe('two replicas that start at once on a new state database', () => {
  it('both come up', async () => {
    const fresh = await createDatabase(newest);
    const replicas = Array.from({ length: 6 }, () => new StateDatabase(fresh.url(), log));
    await Promise.all(replicas.map((state) => state.start()));
    await Promise.all(replicas.map((state) => state.close()));
  });
});

describe('a click', () => {
  it('that is seen twice is handled once', async () => {
    answers = [];
    const item = newItem('twice', 'U0MIRA');
    await Promise.all([takeIn(other, item, ack), takeIn(behindProxy, item, ack), takeIn(other, item, ack)]);
    expect(answers).toHaveLength(1);
    expect(await paused()).toEqual(['U0MIRA']);
  });

  it('is handled also if Slack did not take its acknowledgement', async () => {
    answers = [];
    const lost = () => Promise.reject(new Error('socket closed'));
    await takeIn(other, newItem('no-ack', 'U0TOM'), lost);
    expect(answers).toEqual([expect.stringMatching(/paused already, by <@U0MIRA>/)]);
  });

  it('that was answered "not recorded" is void, though it was stored, and an outage outlasts every patience', async () => {
    await database.run('delete from pgorderly.switches');
    answers = [];
    proxy.delay('to-client', 5_000);
    const taking = takeIn(behindProxy, newItem('outage', 'U0ANA'), ack);
    await until('it to be stored', async () => {
      const { rows } = await database.run("select from pgorderly.inbox where key = 'outage'");
      return rows.length === 1;
    });
    proxy.mode('refuse');
    proxy.cut();
    await until('the answer', () => answers.length === 1);
    expect(answers[0]).toMatch(/^Not recorded/);
    proxy.delay('to-client', 0);
    await database.run("update pgorderly.inbox set received_at = received_at - interval '2 min' where key = 'outage'");
    expect(await paused()).toEqual([]);
    const sweeping = sweepInbox(other);
    proxy.mode('pass');
    await Promise.all([taking, sweeping]);
    const { rows } = await database.run(
      "select voided_at is not null as void from pgorderly.inbox where key = 'outage'",
    );
    expect(rows).toEqual([{ void: true }]);
    expect(await paused()).toEqual([]);
    expect(answers).toHaveLength(1);
  });

  it('that a lost replica left is handled once by the others, and one that breaks its handler holds up nobody', async () => {
    await database.run('delete from pgorderly.switches');
    answers = [];
    await storeInboxItem(states[1]?.pool as StateDatabase['pool'], { ...newItem('broken', 'U0TOM'), kind: 'nonsense' });
    await storeInboxItem(states[1]?.pool as StateDatabase['pool'], newItem('left', 'U0MIRA'));
    await database.run("update pgorderly.inbox set received_at = received_at - interval '2 min'");
    await Promise.all([sweepInbox(other), sweepInbox(behindProxy)]);
    expect(await paused()).toEqual(['U0MIRA']);
    expect(answers.filter((text) => text.startsWith('Paused'))).toHaveLength(1);
    await database.run("update pgorderly.inbox set handled_at = handled_at - interval '1 min'");
    await sweepInbox(other);
    expect(answers.filter((text) => text.startsWith('Not done: pgorderly could not handle it'))).toHaveLength(1);
    const { rows } = await database.run('select key from pgorderly.inbox where handled_at is null');
    expect(rows).toEqual([]);
  });
});

const ack = async () => {};

/** A pause: of all that is asked for, the one that needs no server. */
function newItem(key: string, userId: string): NewInboxItem {
  const { port } = chat.address() as AddressInfo;
  const person = { userId, teamId: 'T1' };
  return { key, kind: 'pause', person, payload: {}, responseUrl: `http://127.0.0.1:${port}/`, trace: key };
}

async function paused(): Promise<string[]> {
  const { rows } = await database.run("select set_by from pgorderly.switches where value = 'on'");
  return rows.map((row) => row.set_by);
}

function contextOf(state: StateDatabase): SlackContext {
  const nothing = async () => {};
  return {
    remedy: {
      pool: state.pool,
      runbooks: new Map(),
      jobs: new Map(),
      targets: new Map(),
      recheck: () => Promise.reject(new Error('there is no target')),
      nudges: { check: nothing, run: nothing, channel: nothing },
      log,
      owner: 'test',
      leaseSeconds: 15,
      stopping: new AbortController().signal,
    },
    state,
    approvers: new Set(),
    timezoneOf: () => 'UTC',
    checkNow: () => Promise.reject(new Error('there is no target')),
  };
}
