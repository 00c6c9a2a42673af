import { setTimeout as sleep } from 'node:timers/promises';
import { App, HTTPReceiver, LogLevel, type Logger as SlackLogger, SocketModeReceiver } from '@slack/bolt';
import type { SlackConfig } from '../config/config.ts';
import { errorFields, type Logger } from '../log.ts';
import { registerActions } from './actions.ts';
import { registerCommands } from './commands/pg.ts';
import type { SlackContext } from './context.ts';
import { slackFailure } from './failures.ts';

export interface Chat {
  app: App;
  /** Connected and accepted by Slack; else why not. */
  state(): { ok: boolean; detail?: string };
  start(context: SlackContext): void;
  stop(): Promise<void>;
}

/** Slack says hello within a second or two; a connection that says nothing is given up. */
const helloWithinMs = 20_000;
const reconnectAfterSeconds = 1;

/**
 * The Bolt app. Its calls are tried once: the drain is what repeats them, so that nothing is posted twice. We reconnect
 * the socket by ourselves: Bolt's own way ends the process by an unhandled rejection where Slack refuses the second
 * time (a token that was revoked), and does not tell that the socket is lost.
 */
export function openChat(config: SlackConfig, log: Logger): Chat {
  const { app, socket } = openApp(config, quietLogger(log));
  app.error(async (error) => log.error(errorFields(error), 'slack listener failed'));
  let status: { ok: boolean; detail?: string } = { ok: false, detail: 'connecting' };
  let isInitialized = false;
  let isStopped = false;
  let retry: NodeJS.Timeout | undefined;
  const again = (code: string, afterSeconds: number) => {
    if (isStopped) return;
    if (status.detail !== code)
      log.warn({ code, hint: 'Check slack.botToken, slack.appToken and the network.' }, 'slack lost; trying again');
    status = { ok: false, detail: code };
    retry = setTimeout(connect, afterSeconds * 1_000);
  };
  const connect = async () => {
    try {
      if (!isInitialized) await app.init();
      isInitialized = true;
      if (socket) await greet(app, socket);
      else await app.start(config.mode === 'http' ? config.port : 0);
      if (isStopped) return await app.stop();
      status = { ok: true };
      log.info({ mode: config.mode }, 'slack connected');
    } catch (error) {
      const { code, retryAfterSeconds } = slackFailure(error);
      again(code, retryAfterSeconds);
    }
  };
  socket?.client.on('disconnected', () => {
    if (status.ok) again('disconnected', reconnectAfterSeconds);
  });
  return {
    app,
    state: () => status,
    start: (context) => {
      registerCommands(app, context);
      registerActions(app, context);
      void connect();
    },
    stop: async () => {
      isStopped = true;
      status = { ok: false, detail: 'stopped' };
      clearTimeout(retry);
      await app.stop().catch((error) => log.debug(errorFields(error), 'slack was not connected'));
    },
  };
}

function openApp(config: SlackConfig, logger: SlackLogger): { app: App; socket: SocketModeReceiver | null } {
  const clientOptions = {
    ...(config.apiUrl === null ? {} : { slackApiUrl: config.apiUrl }),
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: 10_000,
  };
  const options = { token: config.botToken, clientOptions, logger, deferInitialization: true };
  if (config.mode === 'http') {
    const receiver = new HTTPReceiver({ signingSecret: config.signingSecret, logger });
    return { app: new App({ ...options, receiver }), socket: null };
  }
  const socket = new SocketModeReceiver({
    appToken: config.appToken,
    autoReconnectEnabled: false,
    logger,
    installerOptions: { clientOptions },
  });
  return { app: new App({ ...options, receiver: socket }), socket };
}

/** Connects the socket; gives it up where Slack doesn't say hello. */
async function greet(app: App, socket: SocketModeReceiver): Promise<void> {
  const hello = new AbortController();
  const silence = sleep(helloWithinMs, undefined, { ref: false, signal: hello.signal }).then(() => {
    void socket.client.disconnect();
    throw new Error('slack did not say hello');
  });
  await Promise.race([app.start(), silence]).finally(() => hello.abort());
}

/** Slack's libraries log through ours; what they say below a warning is noise. */
function quietLogger(log: Logger): SlackLogger {
  return {
    debug: () => {},
    info: () => {},
    warn: (...words: unknown[]) => log.debug({ words: words.map(String).join(' ') }, 'slack library'),
    error: (...words: unknown[]) => log.warn({ words: words.map(String).join(' ') }, 'slack library'),
    setLevel: () => {},
    getLevel: () => LogLevel.WARN,
    setName: () => {},
  };
}
