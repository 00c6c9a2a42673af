// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own variables look like that.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isObserveOnly } from '../../src/config/config.ts';
import { loadConfig, readConfig } from '../../src/config/load.ts';
import { edited, env, jobs, load, minimal } from './sample.ts';

describe('the minimal configuration', () => {
  it('comes with every default', () => {
    const { config, problems } = load(minimal);
    expect(problems).toEqual([]);
    expect(config).toEqual({
      state: { url: 'postgres://bot:state-pw@localhost/pgorderly' },
      queue: { redis: null },
      runbooks: null,
      slack: { mode: 'socket', botToken: 'xoxb-bot', appToken: 'xapp-app', apiUrl: null },
      http: { host: '127.0.0.1', port: 8080 },
      log: { level: 'info' },
      approvers: new Map(),
      policies: expect.anything(),
      targets: [
        {
          name: 'orders',
          environment: 'production',
          policies: 'production',
          channel: 'C0123456789',
          timezone: 'UTC',
          report: '0 0 9 * * 1',
          protect: [],
          databases: [],
          windows: [],
          freezes: [],
          nodes: [{ name: 'db1:5432', url: 'postgres://mon:mon-pw@db1:5432/orders', actions: {} }],
        },
      ],
      jobs: new Map([
        [
          'long-transactions',
          {
            isEnabled: true,
            schedule: '*/30 * * * * *',
            afterSeconds: 60,
            thresholds: { minSeconds: 900, minBlocked: 10 },
            ignores: [],
          },
        ],
        ['lock-chains', { isEnabled: true, schedule: '*/10 * * * * *', afterSeconds: 20, thresholds: {}, ignores: [] }],
      ]),
    });
    expect(config?.targets.every(isObserveOnly)).toBe(true);
  });

  it.each([
    ['postgresql://u@h', 'h:5432'],
    ['postgres://h:1/d', 'h:1'],
    ['postgres://u@[::1]:1/d', '::1:1'],
    ['postgres://u@/d?host=/var/run/postgresql', '/var/run/postgresql:5432'],
    ['postgres://%2Ftmp%2Fpg/d', '/tmp/pg:5432'],
    ['postgres:///?service=orders', 'orders:5432'],
  ])('calls the node of %s %s', (url, name) => {
    const { config } = load(edited('postgres://mon:${MON}@db1:5432/orders', url));
    expect(config?.targets[0]?.nodes[0]?.name).toBe(name);
  });
});

describe('what is written', () => {
  it('replaces the defaults of a job', () => {
    const settings = '{ enabled: false, schedule: "0 0 3 * * *", after: 2m, thresholds: { minSeconds: 15m } }';
    expect(load(`${minimal}jobs: { long-transactions: ${settings} }\n`).config?.jobs.get('long-transactions')).toEqual({
      isEnabled: false,
      schedule: '0 0 3 * * *',
      afterSeconds: 120,
      thresholds: { minSeconds: 900, minBlocked: 10 },
      ignores: [],
    });
  });

  it('makes Slack be reached over HTTP', () => {
    const text = edited('appToken: ${APP}', 'mode: http\n  signingSecret: ${APP}\n  apiUrl: http://localhost:1/api');
    expect(load(text).config?.slack).toEqual({
      mode: 'http',
      botToken: 'xoxb-bot',
      signingSecret: 'xapp-app',
      port: 3000,
      apiUrl: 'http://localhost:1/api/',
    });
  });

  it('lets a node be acted upon by class', () => {
    const actions = '\n        actions:\n          signal: postgres://sig:${MON}@db1/orders\n          ddl:';
    const text = `${edited('@db1:5432/orders', `@db1:5432/orders${actions}`)}approvers: { dba: [U0A, U0B, U0C] }\n`;
    const { config, problems } = load(text);
    expect(problems).toEqual([]);
    expect(config?.targets[0]?.nodes[0]?.actions).toEqual({ signal: 'postgres://sig:mon-pw@db1/orders' });
    expect(config?.targets.some(isObserveOnly)).toBe(false);
  });
});

describe('the example', () => {
  const example = readFileSync(new URL('../../config.example.yaml', import.meta.url), 'utf8');
  const names = [...example.matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name = '']) => name);
  const set = Object.fromEntries(names.map((name) => [name, name.includes('APP') ? 'xapp-1' : 'xoxb-1']));

  it('is right once its variables are set', () => {
    const { config, problems } = load(example, set);
    expect(problems).toEqual([]);
    expect(config?.targets.map(isObserveOnly)).toEqual([true]);
  });

  it('is right with everything uncommented that can be', () => {
    const whole = example.replaceAll(/^(\s*)# (?=(actions|approvers| {2}signal| {2}dba):)/gm, '$1');
    expect(whole.match(/^ *(actions|signal|approvers|dba):/gm)).toHaveLength(4);
    const { config, problems } = load(whole, set);
    expect(problems).toEqual([]);
    expect(config?.targets.map(isObserveOnly)).toEqual([false]);
  });
});

describe('reading a file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pgorderly-config-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (content: string | Buffer) => {
    const file = join(folder, 'pgorderly.yaml');
    writeFileSync(file, content);
    return file;
  };

  it('returns the configuration', () => {
    expect(readConfig(write(minimal), { env, jobs }).targets).toHaveLength(1);
  });

  it('finds a folder of runbooks from where the file is', () => {
    const runbooksOf = (line: string) => readConfig(write(`${minimal}${line}\n`), { env, jobs }).runbooks;
    expect(runbooksOf('runbooks: my/runbooks')).toBe(join(folder, 'my/runbooks'));
    expect(runbooksOf('runbooks: ../shared')).toBe(join(folder, '../shared'));
    expect(runbooksOf('runbooks: /etc/${MON}')).toBe('/etc/mon-pw');
    expect(() => runbooksOf("runbooks: ' '")).toThrow('11:11: error: " " is empty');
    expect(() => runbooksOf('runbooks: [a]')).toThrow('expected a folder, found a list');
  });

  it('lists every problem in the error', () => {
    const file = write(edited('name: orders', 'name: Orders').replace('C0123456789', 'general'));
    expect(() => readConfig(file, { env, jobs })).toThrow(
      expect.objectContaining({
        code: 'config-invalid',
        message: expect.stringMatching(/ has 2 errors:\n.*yaml:7:11: error: .*\n.*yaml:8:14: error: .*$/),
      }),
    );
  });

  it.each([
    ['is missing', () => join(folder, 'none.yaml'), 'none.yaml does not exist.'],
    ['is a directory', () => folder, 'is a directory, not a file.'],
    ['is under a file', () => join(write(''), 'x.yaml'), 'x.yaml does not exist.'],
    ['is UTF-16', () => write(Buffer.from(`\uFEFF${minimal}`, 'utf16le')), 'is not UTF-8 text.'],
  ])('says so when it %s', (_, file, message) => {
    expect(() => loadConfig(file(), { env, jobs })).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(message) }),
    );
  });

  it('says so when it may not be read', () => {
    const file = write(minimal);
    chmodSync(file, 0);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.('nobody'); // root may read everything
    try {
      expect(() => loadConfig(file, { env, jobs })).toThrow('may not be read by this user.');
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});
