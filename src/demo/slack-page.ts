import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/**
 * local-slack 0.1.8 shows code fences as backticks, folds runs of spaces and leaves `&lt;` as it is; Slack does none
 * of this. The page is served with these corrections, so that the demo looks as it would in Slack.
 */
const corrections = String.raw`<style>
.mrkdwn, .mrkdwn code { white-space: pre-wrap; }
.mrkdwn pre { font: 12px/1.5 Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre-wrap; margin: 4px 0; padding: 8px;
  background: #f8f8f8; border: 1px solid #ddd; border-radius: 4px; }
</style><script>
const signs = { strong: '*', em: '_', del: '~', code: '\x60' };
const literal = (html) => html.replace(/<\/?(strong|em|del|code)>/g, (_, tag) => signs[tag]).replace(/<br>/g, '\n');
const corrected = (html) => html
  .replace(/\x60\x60<code>(.*?)<\/code>\x60\x60/g, '<pre>$1</pre>')
  .replace(/\x60{3}(?:<br>)?([\s\S]*?)(?:<br>)?\x60{3}(?:<br>)?/g, (_, code) => '<pre>' + literal(code) + '</pre>')
  .replace(/&lt;!(?:date|subteam)\^[^|]*?\|(.*?)&gt;/g, '$1')
  .replace(/&lt;!(here|channel|everyone)&gt;/g, '@$1')
  .replace(/&amp;(lt|gt|amp);/g, '&$1;');
const done = new WeakMap();
const correct = (element) => {
  if (done.get(element) === element.innerHTML) return;
  element.innerHTML = corrected(element.innerHTML);
  done.set(element, element.innerHTML);
};
new MutationObserver(() => document.querySelectorAll('.mrkdwn').forEach(correct))
  .observe(document, { childList: true, subtree: true, characterData: true });
</script>`;

export interface SlackPage {
  url: string;
  close(): Promise<void>;
}

/** Serves the local Slack at `upstream` on 127.0.0.1, its page corrected; a `port` of 0 means a free one. */
export async function serveSlackPage(upstream: string, port: number): Promise<SlackPage> {
  const sockets = new Set<Socket>();
  const server = createServer((incoming, outgoing) => forward(upstream, incoming, outgoing));
  server.on('connection', (socket) => keep(sockets, socket));
  server.on('upgrade', (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    const { hostname, port: upstreamPort } = new URL(upstream);
    tunnel(incoming, socket, head, keep(sockets, connect(Number(upstreamPort), hostname)));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function keep(sockets: Set<Socket>, socket: Socket): Socket {
  sockets.add(socket);
  return socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
}

function forward(upstream: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, headers, url } = incoming;
  const onward = request(new URL(url ?? '/', upstream), { method, headers }, async (answer) => {
    if (!answer.headers['content-type']?.includes('text/html')) {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      return;
    }
    const html = Buffer.concat(await answer.toArray()).toString();
    outgoing.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    outgoing.end(html.replace('</head>', () => `${corrections}</head>`));
  });
  onward.on('error', () => outgoing.destroy());
  incoming.pipe(onward);
}

/** Bytes both ways: the page's WebSocket needs no understanding. */
function tunnel(incoming: IncomingMessage, socket: Socket, head: Buffer, onward: Socket): void {
  const headers = incoming.rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
  onward.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${headers}\r\n`);
  onward.write(head);
  onward.pipe(socket).pipe(onward);
  socket.on('close', () => onward.destroy());
  onward.on('close', () => socket.destroy());
}
