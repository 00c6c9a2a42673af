import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { describeUrl, resolveUrl } from '../../src/targets/url.ts';

const home = mkdtempSync(join(tmpdir(), 'pgorderly-files-'));
const environment = { HOME: home };
afterAll(() => rmSync(home, { recursive: true }));

function file(name: string, text: string, mode = 0o600): string {
  const path = join(home, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

describe('a service', () => {
  const services = file(
    'services.conf',
    '# ours\n[empty]\n\n[shop]\n host = not read\nhost=db7\n#port=1\nport=77\nuser=svc\nport=78\npassword=p=w\n[next]\nhost=db8\n',
  );
  file('broken.conf', '[shop]\nhost=db7\njust words\n');

  it('gives what the URL leaves open, before the environment', () => {
    const variables = { ...environment, PGSERVICEFILE: services, PGSERVICE: 'next', PGUSER: 'eve', PGDATABASE: 'd' };
    expect(resolveUrl('postgres://', variables)).toMatchObject({ host: 'db8', user: 'eve' });
    expect(() => resolveUrl('postgres://?service=shop', variables)).toThrow(/The service has a parameter/);
  });

  it('is looked for in ~/.pg_service.conf, then in PGSYSCONFDIR', () => {
    file('.pg_service.conf', '[mine]\nhost=db5\nport=55\nuser=svc\npassword=p=w\n');
    file('pg_service.conf', '[system]\nhost=db6\n');
    expect(resolveUrl('postgres://other@/x?service=mine', environment)).toMatchObject({
      host: 'db5',
      port: 55,
      user: 'other',
      password: 'p=w',
      database: 'x',
    });
    const variables = { ...environment, PGSYSCONFDIR: home, PGSERVICE: 'system' };
    expect(resolveUrl('postgres://', variables)).toMatchObject({ host: 'db6' });
    expect(describeUrl('postgres://bot@/x', variables)).toBe('bot@db6:5432/x');
  });

  it('is refused with its line where the file is broken', () => {
    const variables = { ...environment, PGSERVICEFILE: join(home, 'broken.conf') };
    const resolve = () => resolveUrl('postgres://?service=shop', variables);
    expect(resolve).toThrow(/Line 3 of .*broken\.conf/);
    expect(resolve).not.toThrow(/just words/);
  });
});

describe('a password file', () => {
  const lines = [
    '# db1:5432:shop:bot:commented',
    'db1:5432:shop:other:no',
    'db1:1:*:bot:by-port',
    'db\\:1:*:*:*:by\\:colon\\\\',
    'localhost:*:*:bot:by-socket',
    'db1:*:shop:bot:first',
    '*:*:*:bot:last',
  ].join('\n');
  const passwords = file('passwords', lines);
  const read = (url: string, path = passwords) => resolveUrl(url, { ...environment, PGPASSFILE: path }).password;

  it.each([
    ['postgres://bot@db1/shop', 'first'],
    ['postgres://bot@db1:1/shop', 'by-port'],
    ['postgres://bot@db1/else', 'last'],
    ['postgres://x@db%3A1/else', 'by:colon\\'],
    ['postgres://bot@/shop?host=/var/run/postgresql', 'by-socket'],
    ['postgres://bot:given@db1/shop', 'given'],
    [`postgres://bot@db1/shop?passfile=${encodeURIComponent(file('other', 'db1:5432:shop:bot:other'))}`, 'other'],
  ])('gives the password of the first line that fits: %s', (url, password) => {
    expect(read(url)).toBe(password);
  });

  it('in ~/.pgpass is found by itself', () => {
    file('.pgpass', 'db4:*:*:*:from-home\n');
    expect(resolveUrl('postgres://bot@db4/x', environment).password).toBe('from-home');
  });

  it('is not used where others can read it, and a missing password then says so', async () => {
    const ask = read('postgres://bot@db1/shop', file('open', lines, 0o644));
    expect(ask).toBeTypeOf('function');
    expect(ask).toThrow(/asks bot for a password/);
    expect(ask).toThrow(expect.objectContaining({ code: 'target-auth', hint: expect.stringContaining('chmod 0600') }));
  });
});
