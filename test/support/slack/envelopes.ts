import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket } from 'undici';
import { ServerSocket } from './websocket.ts';

type Payload = Record<string, unknown>;

export interface Envelope {
  envelope_id: string;
  type: 'events_api' | 'slash_commands' | 'interactive';
  payload: Payload;
}

/** An envelope on its way to one of the app's sockets. */
export interface Delivery {
  envelope: Envelope;
  /** Counted from 1 in the order of connecting. */
  socket: number;
  /** Null until it is acknowledged. */
  ackMs: number | null;
  ackPayload: Payload;
}

interface Line {
  number: number;
  app: ServerSocket;
  upstream: WebSocket;
  pending: Map<string, { delivery: Delivery; sentAt: number }>;
}

interface Options {
  /** ws://… of the local Slack. */
  upstream: string;
  /** Every socket gets every envelope, as local-slack has it; Slack picks one. */
  broadcast: boolean;
  rewrite(envelope: Envelope): Envelope;
  /** What Slack makes of an acknowledgement's payload. */
  takeAck(envelope: Envelope, payload: Payload): Payload;
}

/** Socket Mode between the local Slack and the app: one line upstream for each of the app's sockets. */
export class SocketMode {
  readonly deliveries: Delivery[] = [];
  readonly #options: Options;
  readonly #lines = new Set<Line>();
  readonly #seen = new Set<string>();
  #connections = 0;
  #turn = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** How many sockets the app holds open. */
  get connected(): number {
    return this.#open().length;
  }

  accept(request: IncomingMessage, socket: Socket, head: Buffer): void {
    this.#connections += 1;
    const app = new ServerSocket(request, socket, head);
    const upstream = new WebSocket(`${this.#options.upstream}${request.url}`);
    const line: Line = { number: this.#connections, app, upstream, pending: new Map() };
    this.#lines.add(line);
    app.on('text', (text) => this.#fromApp(line, text));
    app.on('close', () => {
      this.#lines.delete(line);
      upstream.close();
    });
    upstream.addEventListener('message', ({ data }) => this.#fromSlack(line, String(data)));
    upstream.addEventListener('error', () => app.close());
    upstream.addEventListener('close', () => app.close());
  }

  /** Asks every socket to connect anew, as Slack does every few hours. */
  recycle(reason = 'refresh_requested'): void {
    for (const { app } of this.#lines) app.send(JSON.stringify({ type: 'disconnect', reason }));
  }

  #open(): Line[] {
    return [...this.#lines].filter((line) => line.app.isOpen);
  }

  #fromSlack(line: Line, text: string): void {
    const envelope = JSON.parse(text) as Envelope;
    if (!envelope.envelope_id) {
      line.app.send(text); // hello
    } else if (this.#options.broadcast) {
      this.#deliver(line, envelope);
    } else if (!this.#seen.has(envelope.envelope_id)) {
      this.#seen.add(envelope.envelope_id);
      const next = this.#next();
      if (next) this.#deliver(next, envelope);
    }
  }

  #next(): Line | undefined {
    const open = this.#open();
    this.#turn += 1;
    return open[this.#turn % open.length];
  }

  #deliver(line: Line, original: Envelope): void {
    const envelope = this.#options.rewrite(original);
    const delivery: Delivery = { envelope, socket: line.number, ackMs: null, ackPayload: {} };
    this.deliveries.push(delivery);
    line.pending.set(envelope.envelope_id, { delivery, sentAt: performance.now() });
    line.app.send(JSON.stringify(envelope));
  }

  #fromApp(line: Line, text: string): void {
    const ack = JSON.parse(text) as { envelope_id?: string; payload?: Payload };
    const sent = line.pending.get(ack.envelope_id ?? '');
    if (!sent) return;
    line.pending.delete(ack.envelope_id ?? '');
    const { delivery, sentAt } = sent;
    delivery.ackMs = performance.now() - sentAt;
    delivery.ackPayload = ack.payload ?? {};
    const payload = this.#options.takeAck(delivery.envelope, delivery.ackPayload);
    if (line.upstream.readyState === WebSocket.OPEN) line.upstream.send(JSON.stringify({ ...ack, payload }));
  }
}
