import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type HttpOptions, type Parts, startHttp } from '../../src/http/server.ts';

const log = pino({ level: 'silent' });
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function start(options: Partial<HttpOptions> = {}): Promise<string> {
  const { port, close } = await startHttp({
    host: '127.0.0.1',
    port: 0,
    parts: async () => ({ state: { ok: true }, slack: { ok: true } }),
    metrics: { scrape: async () => 'figures 1\n', contentType: 'text/plain; version=0.0.4' },
    log,
    ...options,
  });
  closing.push(close);
  return `http://127.0.0.1:${port}`;
}

describe('health', () => {
  test('is well as long as the process lives, whatever its parts say', async () => {
    const url = await start({ parts: async () => ({ state: { ok: false } }) });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe('readiness', () => {
  const ready = async (url: string) => {
    const response = await fetch(`${url}/readyz`);
    return { status: response.status, body: (await response.json()) as { ready: boolean; parts: Parts } };
  };

  test('is given when every part is well', async () => {
    const parts = { state: { ok: true }, slack: { ok: true } };
    expect(await ready(await start())).toEqual({ status: 200, body: { ready: true, parts } });
  });

  test('names the part that is not well, and why', async () => {
    const parts = { state: { ok: true }, slack: { ok: false, detail: 'not connected' } };
    const url = await start({ parts: async () => parts });
    expect(await ready(url)).toEqual({ status: 503, body: { ready: false, parts } });
  });

  test('is refused within 2 s when a part does not answer', async () => {
    const startedAt = Date.now();
    const { status, body } = await ready(await start({ parts: () => new Promise(() => {}) }));
    expect([status, body.parts['readiness']?.detail]).toEqual([503, 'not known within 2 s']);
    expect(Date.now() - startedAt).toBeLessThan(3_000);
  });

  test('is refused when asking fails, with the code and no text of the error', async () => {
    const failure = Object.assign(new Error('password of prod'), { code: 'ECONNREFUSED' });
    const { status, body } = await ready(await start({ parts: () => Promise.reject(failure) }));
    expect([status, body.parts]).toEqual([503, { readiness: { ok: false, detail: 'ECONNREFUSED' } }]);
  });
});

describe('the server', () => {
  test('hands out the metrics in the type they say', async () => {
    const response = await fetch(`${await start()}/metrics?name=x`);
    expect([await response.text(), response.headers.get('content-type')]).toEqual([
      'figures 1\n',
      'text/plain; version=0.0.4',
    ]);
  });

  test.each([
    ['GET', '/', 404],
    ['GET', '/toString', 404],
    ['GET', '/healthz/', 404],
    ['POST', '/healthz', 405],
    ['DELETE', '/metrics', 405],
    ['POST', '/nowhere', 404],
    ['HEAD', '/healthz', 200],
  ])('answers %s %s with %i', async (method, path, status) => {
    expect((await fetch(`${await start()}${path}`, { method })).status).toBe(status);
  });

  test('says which methods there are', async () => {
    const response = await fetch(`${await start()}/readyz`, { method: 'PUT' });
    expect(response.headers.get('allow')).toBe('GET, HEAD');
  });

  test('answers 500 and goes on when the metrics break', async () => {
    const metrics = { scrape: () => Promise.reject(new Error('broken')), contentType: 'text/plain' };
    const url = await start({ metrics });
    expect((await fetch(`${url}/metrics`)).status).toBe(500);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  test('says that its port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => other.close(() => resolve())));
    const { port } = other.address() as AddressInfo;
    await expect(start({ port })).rejects.toMatchObject({
      code: 'config-invalid',
      message: `http: cannot listen on 127.0.0.1:${port} (EADDRINUSE)`,
    });
  });

  test('closes while a request is under way', async () => {
    let isAsked = false;
    const url = await start({
      parts: () => {
        isAsked = true;
        return new Promise(() => {});
      },
    });
    const request = fetch(`${url}/readyz`).catch(() => 'cut');
    await vi.waitUntil(() => isAsked);
    await closing.pop()?.();
    expect(await request).toBe('cut');
  });
});
