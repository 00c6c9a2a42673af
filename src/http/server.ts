import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { codeOf, PgorderlyError } from '../errors.ts';
import { errorFields, type Logger } from '../log.ts';
import type { Metrics } from './metrics.ts';

export type Parts = Record<string, { ok: boolean; detail?: string }>;

export interface HttpOptions {
  host: string;
  /** 0 takes any free port. */
  port: number;
  /** What readiness is made of; asked at each request. */
  parts(): Promise<Parts>;
  metrics: Pick<Metrics, 'scrape' | 'contentType'>;
  log: Logger;
}

interface Answer {
  status: number;
  type: string;
  body: string;
}
type Route = () => Promise<Answer>;

const readyTimeoutMs = 2_000;

/** Serves /healthz, /readyz and /metrics. Throws config-invalid where the address cannot be had. */
export async function startHttp(options: HttpOptions): Promise<{ port: number; close(): Promise<void> }> {
  const routes: Record<string, Route> = {
    '/healthz': async () => text(200, 'alive\n'),
    '/readyz': () => ready(options.parts),
    '/metrics': async () => ({ status: 200, type: options.metrics.contentType, body: await options.metrics.scrape() }),
  };
  const server = createServer((request, response) => void answer(routes, request, response, options.log));
  await listen(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  routes: Record<string, Route>,
  request: IncomingMessage,
  response: ServerResponse,
  log: Logger,
): Promise<void> {
  const { status, type, body } = await choose(routes, request).catch((error) => {
    log.error({ path: request.url, ...errorFields(error) }, 'http answer failed');
    return text(500, 'internal error\n');
  });
  if (status === 405) response.setHeader('allow', 'GET, HEAD');
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}

async function choose(routes: Record<string, Route>, request: IncomingMessage): Promise<Answer> {
  const path = request.url?.split('?')[0] ?? '';
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (!route) return text(404, 'not found: there are /healthz, /readyz and /metrics\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET\n');
  return route();
}

async function ready(askParts: HttpOptions['parts']): Promise<Answer> {
  const parts = await within(readyTimeoutMs, askParts);
  const isReady = Object.values(parts).every((part) => part.ok);
  const body = `${JSON.stringify({ ready: isReady, parts })}\n`;
  return { status: isReady ? 200 : 503, type: 'application/json', body };
}

/** Somebody who asks whether we are ready must not hang with what we wait for. */
async function within(timeoutMs: number, askParts: HttpOptions['parts']): Promise<Parts> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Parts>((resolve) => {
    const detail = `not known within ${timeoutMs / 1000} s`;
    timer = setTimeout(() => resolve({ readiness: { ok: false, detail } }), timeoutMs);
  });
  const failed = (error: unknown): Parts => ({ readiness: { ok: false, detail: errorFields(error).code } });
  const parts = await Promise.race([askParts().catch(failed), late]);
  clearTimeout(timer);
  return parts;
}

function listen(server: Server, { host, port }: HttpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new PgorderlyError('config-invalid', `http: cannot listen on ${host}:${port} (${codeOf(cause)})`, {
          hint: 'Choose another http.host or http.port.',
          cause,
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body };
}
