import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Context } from './context.ts';
import { SocketMode } from './envelopes.ts';
import { sendJson } from './http.ts';
import { answerResponseUrl, rewriteEnvelope, takeAck } from './interactions.ts';
import { answerCall } from './web-api.ts';

export type Gate = ReturnType<typeof createGate>;

/** The door the app knocks on: Web API, response_urls and Socket Mode on one port, which stays the same when it is shut. */
export function createGate(context: Context, broadcast: boolean) {
  const sockets = new Set<Socket>();
  const socketMode = new SocketMode({
    upstream: context.upstream.replace('http', 'ws'),
    broadcast,
    rewrite: (envelope) => rewriteEnvelope(context, envelope),
    takeAck: (envelope, ack) => takeAck(context, envelope, ack),
  });
  const server = createServer((request, response) => {
    const answer = request.url?.startsWith('/api/') ? answerCall : answerResponseUrl;
    answer(context, request, response).catch((error: Error) => {
      context.records.refuse(`${request.url}`, { error: 'unreadable', messages: [error.message] });
      sendJson(response, 500, { ok: false, error: 'internal_error' });
    });
  });
  server.on('upgrade', (request, socket: Socket, head) => socketMode.accept(request, socket, head));
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  let port = 0;
  return {
    socketMode,
    async open(): Promise<void> {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      port = (server.address() as AddressInfo).port;
      context.ownUrl = `http://127.0.0.1:${port}`;
    },
    async close(): Promise<void> {
      if (!server.listening) return;
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
