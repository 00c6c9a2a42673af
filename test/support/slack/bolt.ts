import { App, LogLevel, SocketModeReceiver } from '@slack/bolt';
import { WebClient } from '@slack/web-api';
import type { StrictSlack } from '../slack.ts';
import { waitFor } from './people.ts';

/** A Slack client that tries once, or as often as told, without waiting long. */
export function connectClient(slack: StrictSlack, options: { retries?: number; token?: string } = {}): WebClient {
  return new WebClient(options.token ?? slack.botToken, {
    slackApiUrl: slack.apiUrl,
    retryConfig: { retries: options.retries ?? 0, minTimeout: 10, maxTimeout: 10 },
    logLevel: LogLevel.ERROR,
  });
}

/** A bare Bolt app in Socket Mode; Bolt waits `clientPingTimeout` before it connects anew. */
export async function startBolt(slack: StrictSlack, use: (app: App) => void): Promise<App> {
  const clientOptions = { slackApiUrl: slack.apiUrl };
  const receiver = new SocketModeReceiver({
    appToken: slack.appToken,
    clientPingTimeout: 500,
    logLevel: LogLevel.ERROR,
    installerOptions: { clientOptions },
  });
  const app = new App({ token: slack.botToken, receiver, clientOptions, logLevel: LogLevel.ERROR });
  use(app);
  await app.start();
  return app;
}

/** Bolt's `stop` does not wait for the socket to close. */
export async function stopBolt(slack: StrictSlack, apps: App[]): Promise<void> {
  await Promise.all(apps.map((app) => app.stop()));
  await waitFor('the sockets to close', () => slack.connected === 0 || undefined);
}
