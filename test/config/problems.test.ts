// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own variables look like that.
import { describe, expect, it } from 'vitest';
import { edited, minimal, problemsOf } from './sample.ts';

const url = 'postgres://mon:${MON}@db1:5432/orders';

describe('keys', () => {
  it.each([
    [
      'an unknown one with its neighbour',
      `${minimal}htpp: {}\n`,
      '11:1: error: unknown key "htpp" (did you mean "http"?)',
    ],
    [
      'an unknown one deep inside',
      edited('channel:', 'chanel: x\n    channel:'),
      '8:5: error: unknown key "chanel" (did you mean "channel"?)',
    ],
    [
      'one with nothing like it',
      edited('state:', 'state:\n  zzz: 1'),
      '2:3: error: unknown key "zzz" (known here: url)',
    ],
    [
      'a missing one at its parent',
      edited('  - name: orders\n    channel', '  - channel'),
      '7:5: error: "name" is missing (what chat calls it; unique)',
    ],
    [
      'an empty one at itself',
      edited('name: orders', 'name:'),
      '7:5: error: "name" is empty (what chat calls it; unique)',
    ],
    [
      'a missing section at the top',
      edited('state:\n  url: postgres://bot:${STATE}@localhost/pgorderly\n', ''),
      '1:1: error: "state" is missing (where the bot keeps what it knows; `docker compose up -d state` starts one)',
    ],
    [
      'one of the other Slack mode',
      edited('slack:', 'slack:\n  signingSecret: ${BOT}'),
      '4:3: error: the key "signingSecret" does not belong here (mode http: signing secret of the Slack app)',
    ],
    [
      'one that the Slack mode needs',
      edited('appToken: ${APP}', 'mode: http'),
      '3:1: error: "signingSecret" is missing (mode http: signing secret of the Slack app)',
    ],
  ])('says of %s', (_, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });
});

describe('values', () => {
  it.each([
    ['name: orders', 'name: 5', '7:11: error: expected a target name, found a number (put it in quotes)'],
    ['name: orders', 'name: [a]', '7:5: error: expected a target name, found a list'],
    [
      'name: orders',
      'name: orders\n    environment: Production',
      '8:18: error: "Production" is not the name of an environment (up to 40 small letters, digits and dashes, such as production)',
    ],
    [
      'name: orders',
      'name: orders\n    timezone: Europe/Berln',
      '8:15: error: "Europe/Berln" is not a time zone (did you mean "Europe/Berlin"?)',
    ],
    [
      'name: orders',
      'name: orders\n    timezone: "+01:00"',
      '8:15: error: "+01:00" is not a time zone (write it as Europe/Berlin or UTC)',
    ],
    [
      'name: orders',
      'name: orders\n    protect: [a, "app:"]',
      '8:18: error: "app:" protects nobody (write a user, or `app:<application_name>`; * stands for anything)',
    ],
    [
      'C0123456789',
      '"#general"',
      `8:14: error: "#general" is not the id of a Slack channel (an id looks like C024BE91L and stands at the end of the channel's details in Slack)`,
    ],
    ['slack:', 'slack:\n  mode: sokcet', '4:9: error: "sokcet" is not one of socket, http (did you mean "socket"?)'],
    [
      'slack:',
      'slack:\n  apiUrl: localhost:3000',
      '4:11: error: this value is not a https:// or http:// URL (write it as https://localhost)',
    ],
    ['slack:', 'http: { port: 70000 }\nslack:', '3:15: error: must be at most 65535'],
    ['slack:', 'http: { port: 1.5 }\nslack:', '3:15: error: expected a port, found a number'],
    [
      'slack:',
      'queue: { redis: "http://localhost" }\nslack:',
      '3:17: error: this value is not a redis:// or rediss:// URL (write it as redis://localhost)',
    ],
    [
      'slack:',
      'log: { level: warning }\nslack:',
      '3:15: error: "warning" is not one of trace, debug, info, warn, error, fatal, silent',
    ],
    [
      'slack:',
      'approvers: { dba: [S024BE7LH] }\nslack:',
      '3:20: error: "S024BE7LH" is not the id of a Slack user (an id looks like U024BE7LH: profile, ⋮, "Copy member ID"; user groups are not read)',
    ],
    [
      'slack:',
      'approvers: { "on call": [U024BE7LH] }\nslack:',
      '3:14: error: "on call" is not the name of a group (up to 40 letters, digits, - and _)',
    ],
    [
      'slack:',
      'approvers: { dba: [] }\nslack:',
      '3:19: error: the list is empty (a group: the people who may approve, by Slack user id)',
    ],
    [`      - url: ${url}`, '      -', '10:8: error: this item of the list is empty'],
    [
      `\n      - url: ${url}`,
      ' []',
      '9:12: error: the list is empty (its servers, primary and standbys, one entry each)',
    ],
  ])('%s → %s', (piece, replacement, problem) => {
    expect(problemsOf(edited(piece, replacement))).toEqual([problem]);
  });
});

describe('connection URLs', () => {
  it.each([
    ['mysql://u@h/d', 'is not a postgres:// URL'],
    ['host=db1 dbname=orders', 'is not a postgres:// URL'],
    ['postgres://u@/d', 'names no host'],
    ['postgres:///d', 'names no host'],
    ['postgres://u@a,b/d', 'names several hosts'],
    ['postgres://u@a:1,b:2/d', 'names several hosts'],
    ['postgres://u@/d?host=a,b', 'names several hosts'],
    ['postgres://u@a:x/d', 'has a port that is not a number'],
    ['postgres://u@a:70000/d', 'has a port that is not a number'],
    ['postgres://u@::1/d', 'names no host'],
    ['postgres://u@[::1/d', 'has a host that cannot be read'],
    ['postgres://u:p@ss@a/d', 'has an @ or a / in its password'],
    ['postgres://u:p/ss@a/d', 'has an @ or a / in its password'],
  ])('%s is refused, and not shown', (value, fault) => {
    const problems = problemsOf(edited(url, value)).filter((line) => line.includes('error'));
    expect(problems).toEqual([expect.stringContaining(`10:14: error: this value ${fault}`)]);
  });
});

describe('jobs', () => {
  const withJobs = (jobs: string) => `${minimal}jobs:\n${jobs}`;
  it.each([
    ['  lock-chain: {}', '12:3: error: there is no job "lock-chain" (did you mean "lock-chains"?)'],
    ['  xyz: {}', '12:3: error: there is no job "xyz" (known: long-transactions, lock-chains)'],
    ['  constructor: {}', '12:3: error: there is no job "constructor" (known: long-transactions, lock-chains)'],
    [
      '  lock-chains: { schedule: "* * * * *" }',
      '12:28: error: "* * * * *" has five fields, and six are needed (put the second in front: "0 …")',
    ],
    [
      '  lock-chains: { schedule: "60 * * 32 * *" }',
      '12:28: error: "60 * * 32 * *" is not a schedule: wrong second, dayOfMonth (six cron fields: second minute hour day month weekday, such as "0 */10 * * * *")',
    ],
    ['  lock-chains: { after: 60 }', '12:25: error: expected a duration such as 15m, found a number'],
    ['  lock-chains: { after: soon }', '12:25: error: "soon" is not a duration (write it as 90s, 15m, 12h or 7d)'],
    ['  lock-chains: { enabled: yes }', '12:27: error: expected true or false, found "yes"'],
    ['  lock-chains: { thresholds: { x: 1 } }', '12:32: error: there is no threshold "x" (it has none)'],
    [
      '  long-transactions: { thresholds: { minSecond: 1 } }',
      '12:38: error: there is no threshold "minSecond" (did you mean "minSeconds"?)',
    ],
    [
      '  long-transactions: { thresholds: { minBlocked: 5m } }',
      '12:50: error: expected a number of sessions, found a duration',
    ],
    ['  long-transactions: { thresholds: { minSeconds: -1 } }', '12:50: error: must be at least 0'],
    [
      '  long-transactions: { thresholds: { minSeconds: much } }',
      '12:50: error: "much" is not a duration (write it as 90s, 15m, 12h or 7d)',
    ],
  ])('%s', (text, problem) => {
    expect(problemsOf(withJobs(`${text}\n`))).toEqual([problem]);
  });
});

it('says everything at once, in the order of the file', () => {
  const text = edited('state:', 'stat: {}\nstate:').replace('C0123456789', 'general').replace('${MON}', '${NONE}');
  expect(problemsOf(`${text}jobs: { x: { after: 1 } }\n`).map((line) => line.split(' ')[0])).toEqual([
    '1:1:',
    '9:14:',
    '11:29:',
    '12:9:',
    '12:21:',
  ]);
});
