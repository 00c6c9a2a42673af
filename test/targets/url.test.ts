import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { PgorderlyError } from '../../src/errors.ts';
import { describeUrl, resolveUrl } from '../../src/targets/url.ts';

const home = mkdtempSync(join(tmpdir(), 'pgorderly-url-'));
const environment = { HOME: home };
afterAll(() => rmSync(home, { recursive: true }));

function refusal(url: string, variables: Record<string, string> = {}): PgorderlyError {
  try {
    resolveUrl(url, { ...environment, ...variables });
  } catch (error) {
    if (error instanceof PgorderlyError) return error;
    throw error;
  }
  throw new Error(`${url} was not refused`);
}

describe('a connection URL', () => {
  const me = userInfo().username;
  it.each([
    ['postgres://bot@db1/shop', { user: 'bot', host: 'db1', port: 5432, database: 'shop' }],
    ['postgresql://bot@db1:6543', { user: 'bot', host: 'db1', port: 6543, database: 'bot' }],
    ['postgres://db1/shop', { user: me, host: 'db1', database: 'shop' }],
    ['  postgres://bot:s3cret@db1/shop\n', { user: 'bot', password: 's3cret' }],
    ['postgres://b%6Ft:p%40%2F%25x@db1/sh%20op', { user: 'bot', password: 'p@/%x', database: 'sh op' }],
    ['postgres://bot:p#?&=+x@db1/shop', { password: 'p#?&=+x', host: 'db1' }],
    ['postgres://bot@[::1]:99/shop', { host: '::1', port: 99 }],
    ['postgres://bot@%2Fvar%2Frun%2Fpostgresql/shop', { host: '/var/run/postgresql', ssl: false }],
    ['postgres:///shop?host=/tmp&port=99&user=me%40corp', { host: '/tmp', port: 99, user: 'me@corp' }],
    ['postgres://bot@db1/shop?user=other&dbname=z&', { user: 'other', database: 'z' }],
    ['postgres://bot@db1/shop?connect_timeout=9', { connectionTimeoutMillis: 9000 }],
    ['postgres://bot@db1/shop?connect_timeout=0', { connectionTimeoutMillis: 5000 }],
    ['postgres://bot@db1/shop?options=-c%20geqo%3Doff', { options: '-c geqo=off' }],
    ['postgres://bot@db1/shop', { ssl: false, prefersTls: true }],
    ['postgres://bot@db1/shop?sslmode=allow', { ssl: false, prefersTls: true }],
    ['postgres://bot@db1/shop?sslmode=disable', { ssl: false, prefersTls: false }],
    ['postgres://bot@/shop?host=/tmp&sslmode=require', { ssl: false, prefersTls: false }],
    ['postgres://bot@db1/shop?sslmode=require', { ssl: { rejectUnauthorized: false }, prefersTls: false }],
    ['postgres://bot@db1/shop?ssl=true', { ssl: { rejectUnauthorized: false } }],
    ['postgres://bot@db1/shop?sslrootcert=system', { ssl: { rejectUnauthorized: true } }],
    ['postgres://bot@db1/shop?application_name=x&keepalives=0&target_session_attrs=any', { host: 'db1' }],
  ])('is read as libpq reads it: %s', (url, expected) => {
    const resolved = resolveUrl(url, environment);
    expect(resolved).toMatchObject(expected);
    expect(resolved).not.toHaveProperty('application_name');
  });

  it.each([
    ['host=db1 dbname=shop', /postgres:\/\//],
    ['mysql://bot@db1/shop', /postgres:\/\//],
    ['/var/run/postgresql shop', /postgres:\/\//],
    ['', /postgres:\/\//],
    ['postgres://', /names no host/],
    ['postgres:///shop', /names no host/],
    ['postgres://bot@h1,h2/shop', /several hosts/],
    ['postgres://bot@h1:1,h2:2/shop', /several hosts/],
    ['postgres://bot@[::1],[::2]/shop', /several hosts/],
    ['postgres:///shop?host=h1,h2', /several hosts/],
    ['postgres://bot@db1:0/shop', /port/],
    ['postgres://bot@db1:65536/shop', /port/],
    ['postgres://bot@db1:pg/shop', /port/],
    ['postgres://bot@::1/shop', /port/],
    ['postgres://bot@[::1/shop', /host/],
    ['postgres://bot:100%@db1/shop', /percent-encoded/],
    ['postgres://bot@db1/shop?sslmode', /name=value/],
    ['postgres://bot@db1/shop?options=-c a=b', /name=value/],
    ['postgres://bot@db1/shop%0A', /control character/],
    ['postgres://bot@db1/shop?connect_timeout=soon', /connect_timeout/],
    ['postgres://bot@db1/shop?pool_size=9', /"pool_size"/],
    ['postgres://bot@db1/shop?hostaddr=10.0.0.1', /"hostaddr"/],
    ['postgres://bot@db1/shop?target_session_attrs=primary', /"target_session_attrs"/],
    ['postgres://bot@db1/shop?channel_binding=require', /"channel_binding"/],
    ['postgres://bot@db1/shop?sslmode=no-verify', /sslmode/],
    ['postgres://bot@db1/shop?sslmode=verify-full', /root certificate/],
    ['postgres://bot@db1/shop?sslmode=verify-ca', /root certificate/],
    ['postgres://bot@db1/shop?sslmode=require&sslrootcert=system', /verify-full/],
    ['postgres://bot@db1/shop?sslmode=require&sslrootcert=/nowhere/root.crt', /cannot be read/],
    ['postgres://bot@db1/shop?service=nowhere', /not defined/],
  ])('is refused with a hint where it cannot be kept to: %s', (url, message) => {
    const error = refusal(url);
    expect(error).toMatchObject({ code: 'target-url-invalid', message: expect.stringMatching(message) });
    expect(error.hint).toBeTruthy();
  });

  it('takes what it leaves open from the environment, and is stronger than it', () => {
    const variables = {
      PGHOST: 'db9',
      PGPORT: '99',
      PGUSER: 'eve',
      PGDATABASE: 'shop',
      PGPASSWORD: 'secret',
      PGSSLMODE: 'require',
      PGCONNECT_TIMEOUT: '2',
    };
    expect(resolveUrl('postgres://', { ...environment, ...variables })).toMatchObject({
      host: 'db9',
      port: 99,
      user: 'eve',
      database: 'shop',
      password: 'secret',
      connectionTimeoutMillis: 2000,
      ssl: { rejectUnauthorized: false },
    });
    expect(resolveUrl('postgres://bot:mine@db1:1/x', { ...environment, ...variables })).toMatchObject({
      host: 'db1',
      port: 1,
      user: 'bot',
      database: 'x',
      password: 'mine',
    });
    expect(refusal('postgres://', { PGHOST: 'h1,h2' }).message).toMatch(/several hosts/);
    expect(refusal('postgres://db1', { PGTARGETSESSIONATTRS: 'primary' }).message).toMatch(
      /environment.*target_session/,
    );
  });
});

describe('a URL in public', () => {
  it.each([
    ['postgres://bot:s3cret@db1/shop', 'bot@db1:5432/shop'],
    ['postgres://bot@/shop?host=/tmp&password=s3cret', 'bot@/tmp:5432/shop'],
    ['postgres://bot@[::1]:9/shop', 'bot@[::1]:9/shop'],
    ['postgres://bot@/shop', 'bot@(no host):5432/shop'],
    ['postgres://bot:s3cret/x@db1/shop', '(unreadable URL)'],
    ['s3cret', '(unreadable URL)'],
  ])('%s is shown as %s', (url, shown) => {
    expect(describeUrl(url, environment)).toBe(shown);
  });

  it('never shows its password, however wrongly that is written', () => {
    const password = fc.string({
      unit: fc.constantFrom('Q', 'Z', '9', '@', '/', '?', '&', '=', ':', '#', '%', ',', '[', ' '),
    });
    const shapes = [
      (secret: string) => `postgres://bot:${secret}@db1/shop`,
      (secret: string) => `postgres://bot@db1/shop?password=${secret}`,
      (secret: string) => `postgres://bot@db1/shop?password=${secret}&sslmode=disable`,
      (secret: string) => `postgres://db1/shop?sslpassword=${secret}`,
      (secret: string) => `postgres://db1?password=${secret}`,
    ];
    fc.assert(
      fc.property(password, fc.constantFrom(...shapes), (secret, shape) => {
        const url = shape(`Q${secret}`);
        expect(describeUrl(url, environment)).not.toMatch(/[QZ9]/);
        try {
          resolveUrl(url, environment);
        } catch (error) {
          expect(error).toBeInstanceOf(PgorderlyError);
          const { message, hint, stack, cause } = error as PgorderlyError;
          expect(`${message} ${hint} ${stack?.replace(/:\d+:\d+/g, '')} ${cause}`).not.toMatch(/[QZ]/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
