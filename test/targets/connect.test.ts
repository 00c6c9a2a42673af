import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { PgorderlyError } from '../../src/errors.ts';
import { Reader } from '../../src/targets/reader.ts';

/** What a server that isn't one says to the n-th message of a connection. */
type Answer = (socket: Socket, message: Buffer, turn: number) => unknown;

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close();
    await once(server, 'close');
  }
});

async function serve(answer: Answer): Promise<number> {
  const server = createServer((socket) => {
    let turn = 0;
    socket.on('error', () => socket.destroy());
    socket.on('data', (message) => answer(socket, message, turn++));
  });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function failureOf(port: number, parameters: string): Promise<PgorderlyError> {
  const reader = new Reader({
    name: 'db1',
    url: `postgres://bot@127.0.0.1:${port}/shop?connect_timeout=1${parameters}`,
  });
  try {
    const failure = await reader.probe().catch((error: unknown) => error);
    if (failure instanceof PgorderlyError) return failure;
    throw new Error('the probe did not fail as it should', { cause: failure });
  } finally {
    await reader.close();
  }
}

function message(letter: string, ...parts: (string | number)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'number' ? int32(part) : Buffer.from(part))));
  return Buffer.concat([Buffer.from(letter), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

const refusal = (code: string, text: string) =>
  message('E', `SFATAL\0VFATAL\0C${code}\0M${text}\0DDetail: secret row\0Wcontext: secret row\0\0`);

/** A greeting as PostgreSQL's, after which nothing more is said. */
const greeting = (version: string) =>
  Buffer.concat([message('R', 0), message('S', `server_version\0${version}\0`), message('K', 1, 2), message('Z', 'I')]);

const withoutTls =
  (answer: Answer): Answer =>
  (socket, text, turn) =>
    turn === 0 && text.length === 8 ? socket.write('N') : answer(socket, text, turn);

describe.each(['', '&sslmode=disable', '&sslmode=require'])('what answers instead of PostgreSQL (%s)', (tls) => {
  it.each<[string, Answer, string, RegExp]>([
    ['a web server', (s) => s.write('HTTP/1.1 400 Bad Request\r\n\r\n'), 'server-unsupported', /is not PostgreSQL/],
    ['Redis', (s) => s.write('-ERR unknown command\r\n'), 'server-unsupported', /is not PostgreSQL/],
    ['SSH', (s) => s.write('SSH-2.0-OpenSSH_9.2\r\n'), 'server-unsupported', /is not PostgreSQL/],
    ['MySQL', (s) => s.write(Buffer.from([0x4a, 0, 0, 0, 10, 56])), 'server-unsupported', /is not PostgreSQL/],
    ['a flood', (s) => s.write(Buffer.alloc(1_000_000, 'R')), 'server-unsupported', /is not PostgreSQL/],
    ['an unknown login', (s) => s.write(message('R', 99)), 'server-unsupported', /not understood|not PostgreSQL/],
    ['a closed door', (s) => s.end(), 'target-unreachable', /hung up/],
    ['a reset', (s) => s.resetAndDestroy(), 'target-unreachable', /cut the connection/],
    ['silence', () => undefined, 'target-unreachable', /did not answer in time/],
  ])('is told apart within the connect timeout: %s', async (_, answer, code, text) => {
    const startedAt = performance.now();
    expect(await failureOf(await serve(answer), tls)).toMatchObject({ code, message: expect.stringMatching(text) });
    expect(performance.now() - startedAt).toBeLessThan(2500);
  });
});

describe('a server that lets nobody in', () => {
  it.each([
    ['28P01', 'target-auth', /pg_hba/],
    ['28000', 'target-auth', /sslmode=require/],
    ['3D000', 'target-auth', /name of the database/],
    ['42501', 'target-auth', /grant connect/],
    ['53300', 'target-unreachable', /max_connections/],
    ['57P03', 'target-unreachable', /starting, stopping or recovering/],
    ['08P01', 'target-unreachable', /pooler/],
    ['XX000', 'target-unreachable', /XX000/],
  ])('is explained by its SQLSTATE: %s', async (state, code, hint) => {
    const port = await serve(withoutTls((socket) => socket.end(refusal(state, 'Zutritt verwehrt'))));
    const error = await failureOf(port, '');
    expect(error).toMatchObject({ code, hint: expect.stringMatching(hint) });
    expect(error.message).toBe(`db1 (bot@127.0.0.1:${port}/shop) refused: Zutritt verwehrt.`);
    expect(JSON.stringify({ ...(error.cause as object) })).not.toContain('secret');
  });

  it('because no password was given is told before it is asked', async () => {
    const port = await serve(withoutTls((socket) => socket.write(message('R', 3))));
    expect(await failureOf(port, '&passfile=/nowhere')).toMatchObject({
      code: 'target-auth',
      message: `db1 (bot@127.0.0.1:${port}/shop): The server asks bot for a password, and none was given.`,
    });
  });

  it('because it is too full even to speak of TLS gives its own reason', async () => {
    const answer: Answer = (socket) => socket.end(refusal('53300', 'too many clients'));
    expect(await failureOf(await serve(answer), '')).toMatchObject({ message: expect.stringContaining('too many') });
  });
});

it.each([
  ['11.22 (Debian 11.22-1)', 'found PostgreSQL 11.22, expected 12 or newer'],
  ['9.6.24', 'found PostgreSQL 9.6.24, expected 12 or newer'],
])('a server of version %s is refused before it is asked anything', async (version, text) => {
  const asked: number[] = [];
  const port = await serve(
    withoutTls((socket, _, turn) => (turn > 0 ? asked.push(turn) : socket.write(greeting(version)))),
  );
  expect(await failureOf(port, '')).toMatchObject({
    code: 'server-unsupported',
    message: expect.stringContaining(text),
  });
  expect(asked).toEqual([]);
});

it.each(['&sslmode=require', '&sslrootcert=system'])('a server without TLS is refused with %s', async (tls) => {
  expect(await failureOf(await serve(withoutTls(() => undefined)), tls)).toMatchObject({
    code: 'target-unreachable',
    message: expect.stringContaining('offers no TLS'),
  });
});

it('a host that nobody knows and a port where nobody listens are named', async () => {
  const closed = new Reader({ name: 'db1', url: 'postgres://bot@127.0.0.1:1/shop' });
  await expect(closed.probe()).rejects.toThrow(
    'db1 (bot@127.0.0.1:1/shop) refused the connection: nothing listens there.',
  );
  const unknown = new Reader({ name: 'db1', url: 'postgres://bot@db1.invalid/shop' });
  await expect(unknown.probe()).rejects.toMatchObject({ code: 'target-unreachable' });
  const folder = new Reader({ name: 'db1', url: 'postgres://bot@/shop?host=/nowhere' });
  await expect(folder.probe()).rejects.toThrow(/no socket in that folder/);
  const invalid = new Reader({ name: 'db1', url: 'postgres://bot@h1,h2/shop' });
  await expect(invalid.probe()).rejects.toMatchObject({ code: 'target-url-invalid' });
});
