import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

const opcodes = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 };
const pingEveryMs = 10_000;

interface Frame {
  final: boolean;
  opcode: number;
  payload: Buffer;
}

interface Events {
  text: [string];
  close: [];
}

/** The server's end of one WebSocket (RFC 6455), as much of it as Socket Mode uses: Node has only the client's. */
export class ServerSocket extends EventEmitter<Events> {
  readonly #socket: Socket;
  readonly #pings: NodeJS.Timeout;
  #unread = Buffer.alloc(0);
  #fragments: Buffer[] = [];

  constructor(request: IncomingMessage, socket: Socket, head: Buffer) {
    super();
    this.#socket = socket;
    this.#pings = setInterval(() => this.#write(opcodes.ping, Buffer.from('slack')), pingEveryMs);
    socket.write(handshake(request));
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearInterval(this.#pings);
      this.emit('close');
    });
    this.#read(head);
  }

  get isOpen(): boolean {
    return this.#socket.writable && !this.#socket.destroyed;
  }

  send(text: string): void {
    this.#write(opcodes.text, Buffer.from(text));
  }

  close(code = 1000): void {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.#write(opcodes.close, payload);
    this.#socket.end();
  }

  /** As a dead network does: no close frame. */
  destroy(): void {
    this.#socket.destroy();
  }

  #write(opcode: number, payload: Buffer): void {
    if (this.isOpen) this.#socket.write(encode(opcode, payload));
  }

  #read(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    for (let next = decode(this.#unread); next; next = decode(this.#unread)) {
      this.#unread = this.#unread.subarray(next.size);
      this.#take(next.frame);
    }
  }

  #take({ final, opcode, payload }: Frame): void {
    if (opcode === opcodes.ping) this.#write(opcodes.pong, payload);
    if (opcode === opcodes.close) this.close();
    if (opcode !== opcodes.text && opcode !== opcodes.continuation) return;
    this.#fragments.push(payload);
    if (!final) return;
    const text = Buffer.concat(this.#fragments).toString();
    this.#fragments = [];
    this.emit('text', text);
  }
}

function handshake(request: IncomingMessage): string {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  return `${[...lines, `Sec-WebSocket-Accept: ${accept}`].join('\r\n')}\r\n\r\n`;
}

function encode(opcode: number, payload: Buffer): Buffer {
  const final = 0x80 | opcode;
  if (payload.length < 126) return Buffer.concat([Buffer.from([final, payload.length]), payload]);
  const short = payload.length < 65_536;
  const header = Buffer.alloc(short ? 4 : 10);
  header[0] = final;
  header[1] = short ? 126 : 127;
  if (short) header.writeUInt16BE(payload.length, 2);
  else header.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([header, payload]);
}

/** The first whole frame of a client, which always masks; null until more has come. */
function decode(bytes: Buffer): { frame: Frame; size: number } | null {
  if (bytes.length < 2) return null;
  const [first = 0, second = 0] = bytes;
  const short = second & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + lengthBytes + 4;
  if (bytes.length < start) return null;
  const length = lengthBytes === 0 ? short : Number(`0x${bytes.toString('hex', 2, 2 + lengthBytes)}`);
  const size = start + length;
  if (bytes.length < size) return null;
  const mask = bytes.subarray(start - 4, start);
  const payload = Buffer.from(bytes.subarray(start, size).map((byte, i) => byte ^ (mask[i % 4] ?? 0)));
  return { frame: { final: (first & 0x80) !== 0, opcode: first & 0x0f, payload }, size };
}
