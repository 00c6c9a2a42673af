import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';

export type Mode = 'pass' | 'refuse' | 'reset' | 'stall';
export type Direction = 'to-server' | 'to-client';

export interface ProxyOptions {
  /** Applied to what passes, before it is sent on. */
  rewrite?(chunk: Buffer, direction: Direction): Buffer;
}

/** A TCP proxy on 127.0.0.1 that does on the wire what a network does. */
export interface Proxy {
  port: number;
  /** pass · refuse: closes at once · reset: RST at once · stall: takes bytes and passes none, also on open connections. */
  mode(mode: Mode): void;
  /** Holds each chunk back for so long, in that direction: `to-server` makes every statement slow. */
  delay(direction: Direction, ms: number): void;
  /** Resets what is connected now. */
  cut(): void;
  connections(): number;
  close(): Promise<void>;
}

export async function startProxy(target: NetConnectOpts, options: ProxyOptions = {}): Promise<Proxy> {
  let mode: Mode = 'pass';
  const delays: Record<Direction, number> = { 'to-server': 0, 'to-client': 0 };
  const pairs = new Set<[Socket, Socket]>();
  const pipe = (from: Socket, to: Socket, direction: Direction) => {
    let last: Promise<unknown> = Promise.resolve();
    from.on('data', (chunk) => {
      const ms = delays[direction];
      last = last.then(async () => {
        if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
        if (mode !== 'stall' && !to.destroyed) to.write(options.rewrite?.(chunk, direction) ?? chunk);
      });
    });
    from.on('error', () => to.destroy());
    from.on('close', () => last.then(() => to.end()));
  };
  const server = createServer((client) => {
    if (mode === 'refuse') return client.destroy();
    if (mode === 'reset') return client.resetAndDestroy();
    const upstream = connect(target);
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    client.on('close', () => pairs.delete(pair));
    pipe(client, upstream, 'to-server');
    pipe(upstream, client, 'to-client');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const cut = () => {
    for (const [client, upstream] of pairs) {
      client.resetAndDestroy();
      upstream.destroy();
    }
  };
  return {
    port,
    mode: (next) => {
      mode = next;
    },
    delay: (direction, ms) => {
      delays[direction] = ms;
    },
    cut,
    connections: () => pairs.size,
    close: () => {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
