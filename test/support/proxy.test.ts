import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type ProxyOptions, startProxy, type Proxy as WireProxy } from './proxy.ts';
import { until } from './wait.ts';

test('passes bytes both ways, and counts who is connected', async () => {
  const proxy = await proxyOfEcho();
  const [one, two] = [await open(proxy), await open(proxy)];
  await until('both to be counted', () => proxy.connections() === 2);
  one.write('one');
  two.write('two');
  expect([await text(one, 3), await text(two, 3)]).toEqual(['one', 'two']);
  one.destroy();
  await until('one to be gone', () => proxy.connections() === 1);
});

test('stands before a unix socket too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pgorderly-proxy-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'socket');
  await startTarget(echo, path);
  const client = await open(await start({ path }));
  client.write('hello');
  expect(await text(client, 5)).toBe('hello');
});

test.each([
  ['refuse', 'end'],
  ['reset', 'ECONNRESET'],
] as const)('mode %s meets a new connection with %s, and leaves open ones alone', async (mode, end) => {
  const proxy = await proxyOfEcho();
  const before = await open(proxy);
  before.write('1');
  await text(before, 1);
  proxy.mode(mode);
  expect(await endOf(connect(proxy.port, '127.0.0.1'))).toBe(end);
  before.write('2');
  expect(await text(before, 1)).toBe('2');
  proxy.mode('pass');
  const after = await open(proxy);
  after.write('3');
  expect(await text(after, 1)).toBe('3');
});

test('stalls open connections without closing them', async () => {
  const proxy = await proxyOfEcho();
  const client = await open(proxy);
  proxy.mode('stall');
  client.write('lost');
  expect(await hasDataWithin(client, 100)).toBe(false);
  expect(client.destroyed).toBe(false);
  proxy.mode('pass');
  client.write('heard');
  expect(await text(client, 5)).toBe('heard');
});

test.each(['to-server', 'to-client'] as const)('delays each chunk %s, and keeps their order', async (direction) => {
  const proxy = await proxyOfEcho();
  const client = await open(proxy);
  proxy.delay(direction, 60);
  const startedAt = performance.now();
  client.write('a');
  expect(await text(client, 1)).toBe('a');
  // A timer may fire a millisecond early.
  expect(performance.now() - startedAt).toBeGreaterThan(55);
  client.write('b');
  client.write('c');
  expect(await text(client, 2)).toBe('bc');
});

test("delivers a server's delayed last words before it closes", async () => {
  const port = await startTarget((socket) => socket.end('terminated'));
  const proxy = await start({ host: '127.0.0.1', port });
  proxy.delay('to-client', 60);
  const client = await open(proxy);
  expect(await text(client, 10)).toBe('terminated');
  expect(await endOf(client)).toBe('end');
});

test('cuts what is connected, and takes new connections', async () => {
  const proxy = await proxyOfEcho();
  const client = await open(proxy);
  await until('it to be counted', () => proxy.connections() === 1);
  const end = endOf(client);
  proxy.cut();
  expect(await end).toBe('ECONNRESET');
  await until('it to be gone', () => proxy.connections() === 0);
  const next = await open(proxy);
  next.write('x');
  expect(await text(next, 1)).toBe('x');
});

test('rewrites chunks, told the direction', async () => {
  const proxy = await proxyOfEcho({
    rewrite: (chunk, direction) => Buffer.from(`${direction === 'to-server' ? '>' : '<'}${chunk}`),
  });
  const client = await open(proxy);
  client.write('x');
  expect(await text(client, 3)).toBe('<>x');
});

test('closes the client where the target is not there', async () => {
  const proxy = await start({ path: '/nonexistent/socket' });
  expect(await endOf(connect(proxy.port, '127.0.0.1'))).toBe('end');
});

test('frees its port and its connections when closed', async () => {
  const proxy = await proxyOfEcho();
  const end = endOf(await open(proxy));
  await until('it to be counted', () => proxy.connections() === 1);
  await proxy.close();
  expect(await end).toBe('ECONNRESET');
  expect(await endOf(connect(proxy.port, '127.0.0.1'))).toBe('ECONNREFUSED');
});

async function proxyOfEcho(options?: ProxyOptions): Promise<WireProxy> {
  return start({ host: '127.0.0.1', port: await startTarget(echo) }, options);
}

async function start(target: NetConnectOpts, options?: ProxyOptions): Promise<WireProxy> {
  const proxy = await startProxy(target, options);
  onTestFinished(() => proxy.close());
  return proxy;
}

function echo(socket: Socket): void {
  socket.pipe(socket);
}

/** On a unix socket, or on a port of its own, which it gives. */
async function startTarget(serve: (socket: Socket) => void, path?: string): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {
      // What the proxy does to it is the test's subject.
    });
    serve(socket);
  });
  await new Promise<void>((resolve) => (path ? server.listen(path, resolve) : server.listen(0, '127.0.0.1', resolve)));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path ? 0 : (server.address() as AddressInfo).port;
}

async function open(proxy: WireProxy): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1');
  await once(socket, 'connect');
  onTestFinished(() => void socket.destroy());
  return socket;
}

async function text(socket: Socket, length: number): Promise<string> {
  let seen = '';
  while (seen.length < length) seen += String((await once(socket, 'data'))[0]);
  return seen;
}

/** How a connection ends: by its error's code, or `end`. */
function endOf(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('end', () => resolve('end')).resume();
  });
}

/** That nothing comes can only be seen by waiting; a slow machine makes it no less true. */
async function hasDataWithin(socket: Socket, ms: number): Promise<boolean> {
  try {
    await once(socket, 'data', { signal: AbortSignal.timeout(ms) });
    return true;
  } catch {
    return false; // the time is over
  }
}
