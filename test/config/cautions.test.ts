// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own variables look like that.
import { describe, expect, it } from 'vitest';
import { edited, load, minimal, problemsOf } from './sample.ts';

const url = 'postgres://mon:${MON}@db1:5432/orders';
const move = '(put it into an environment variable and write ${NAME} here)';

describe('what works and is seldom meant', () => {
  it('says of an ignore entry that it is over, from the day after its last', () => {
    const written = (day: string) =>
      `${minimal}jobs:\n  lock-chains:\n    ignore:\n      - { relation: public.a, reason: soon gone, until: ${day} }\n`;
    const [yesterday, tomorrow] = [-1, 1].map((days) =>
      new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10),
    );
    expect(problemsOf(written(tomorrow ?? ''))).toEqual([]);
    expect(problemsOf(written(yesterday ?? ''))).toEqual([
      `14:57: warning: "${yesterday}" is over: what this entry ignored is told again (remove the entry, or give it a new day)`,
    ]);
    expect(problemsOf(written('2027-02-30'))).toEqual([
      '14:57: error: "2027-02-30" is not a day (write it as 2027-01-31)',
    ]);
  });

  it.each([
    [url, 'postgres://mon:hunter2@db1/orders', `10:14: warning: a password stands in this file ${move}`],
    [url, 'postgres://mon@db1/orders?password=hunter2', `10:14: warning: a password stands in this file ${move}`],
    [
      'slack:',
      'queue: { redis: "redis://:hunter2@localhost" }\nslack:',
      `3:17: warning: a password stands in this file ${move}`,
    ],
    ['${BOT}', 'xoxb-hunter2', `4:13: warning: a secret stands in this file ${move}`],
    ['${BOT}', '${APP}', '4:13: warning: the value of ${APP} does not begin with xoxb- (are the two tokens swapped?)'],
    [
      'channel:',
      'environment: prod-eu\n    channel:',
      '8:18: warning: "prod-eu" has the policies of `elsewhere` (only the word production has those of `production`)',
    ],
  ])('%s → %s is a warning', (piece, replacement, problem) => {
    const text = edited(piece, replacement);
    expect(problemsOf(text)).toEqual([problem]);
    expect(problemsOf(text).join()).not.toContain('hunter2');
    expect(load(text).config).not.toBeNull();
  });

  it.each([
    [url, 'postgres://mon@db1/orders'],
    [url, 'postgres://${U:-a}@db1/orders'],
    [url, 'postgres://mon:${MON}@db1/orders'],
    [url, 'postgres://mon:${PW:-x}@db1/orders'],
    ['${BOT}', 'a${BOT}\n  apiUrl: http://localhost:1/api/'],
    ['channel:', 'environment: staging\n    channel:'],
  ])('%s → %s is none', (piece, replacement) => {
    expect(problemsOf(edited(piece, replacement))).toEqual([]);
  });

  it('warns of a login that leads elsewhere', () => {
    const actions = '\n        actions: { signal: "postgres://sig:${MON}@db2:5432/orders" }';
    const text = `${edited(url, `${url}${actions}`)}approvers: { dba: [U0A, U0B, U0C] }\n`;
    expect(problemsOf(text)).toEqual([
      "11:28: warning: this login leads to another server or port than the node's own url (right only if both are the same server, as behind a pooler)",
    ]);
  });
});

describe('things given twice', () => {
  const second = (name: string, nodes: string) =>
    `${minimal}  - name: ${name}\n    channel: C0123456789\n    nodes:\n${nodes}`;
  const once = '(each server is a node of one target, once)';
  it.each([
    [
      'a target name',
      second('orders', '      - url: postgres://u@db2/orders\n'),
      '11:11: error: a second target of this name; the first is on line 7 (give each target its own name)',
    ],
    [
      'a server, in another target',
      second('other', '      - url: postgresql://u@DB1/orders\n'),
      `14:14: error: this server and database is a node already, on line 10 ${once}`,
    ],
    [
      'a server, in the same target',
      `${minimal}      - url: postgres://u@db1/orders\n`,
      `11:14: error: this server and database is a node already, on line 10 ${once}`,
    ],
    [
      'a node name',
      edited(`- url: ${url}`, `- name: a\n        url: ${url}\n      - name: a\n        url: postgres://u@db2/d`),
      '12:15: error: a second node of this name in the target; the first is on line 10 (give each its own `name`)',
    ],
    [
      'a node name that comes from the URL',
      `${minimal}      - url: postgres://u@db1/other\n`,
      '11:14: error: a second node of this name in the target; the first is on line 10 (give each its own `name`)',
    ],
    [
      'a port',
      edited('appToken: ${APP}', 'mode: http\n  signingSecret: ${APP}\n  port: 8080'),
      '7:9: error: this is also the port of health, readiness and metrics (give slack.port or http.port another number)',
    ],
  ])('%s is an error', (_, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  it('may be two databases of one pooler, and one name in two targets', () => {
    expect(problemsOf(second('other', '      - url: postgres://u@db1/other\n'))).toEqual([]);
  });
});
