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

/**
 * The Bolt app. Its own calls are tried once: the drain is what repeats them, so that nothing is posted twice. The
 * socket reconnects for ever: with few tries, Bolt would stay dead after an outage.
 */
export function openChat(config: SlackConfig, log: Logger): Chat {
  const logger = quietLogger(log);
  const slackApi = config.apiUrl === null ? {} : { slackApiUrl: config.apiUrl };
  const receiver =
    config.mode === 'http'
      ? new HTTPReceiver({ signingSecret: config.signingSecret, logger })
      : new SocketModeReceiver({
          appToken: config.appToken,
          clientPingTimeout: 2_000,
          logger,
          installerOptions: {
            clientOptions: { ...slackApi, retryConfig: { forever: true, minTimeout: 500, maxTimeout: 5_000 } },
          },
        });
  const clientOptions = { ...slackApi, retryConfig: { retries: 0 }, rejectRateLimitedCalls: true, timeout: 10_000 };
  const app = new App({ token: config.botToken, receiver, clientOptions, logger, deferInitialization: true });
  app.error(async (error) => log.error(errorFields(error), 'slack listener failed'));
  let status: { ok: boolean; detail?: string } = { ok: false, detail: 'connecting' };
  let isStopped = false;
  const connect = async () => {
    try {
      await app.init();
      await app.start(config.mode === 'http' ? config.port : 0);
      status = { ok: true };
      log.info({ mode: config.mode }, 'slack connected');
    } catch (error) {
      const { code, retryAfterSeconds } = slackFailure(error);
      status = { ok: false, detail: code };
      log.error({ code, hint: 'Check slack.botToken, slack.appToken and the network.' }, 'slack refused; trying again');
      if (!isStopped) setTimeout(connect, retryAfterSeconds * 1_000).unref();
    }
  };
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
      await app.stop();
    },
  };
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
