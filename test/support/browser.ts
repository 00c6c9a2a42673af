import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';

const executablePath = '/usr/bin/chromium';

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Browser {
  page: Page;
  close(): Promise<void>;
}

/** Debian's: `apt-get install -y chromium fonts-noto-color-emoji`. */
export function browserAvailable(): boolean {
  return existsSync(executablePath);
}

/** One page in a fresh profile, which `close` removes. */
export async function openBrowser(viewport = { width: 1280, height: 900 }): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'pgorderly-browser-'));
  const removeProfile = () => rm(profile, { recursive: true, force: true, maxRetries: 5 });
  try {
    const context = await chromium.launchPersistentContext(profile, { executablePath, args: flags, viewport });
    const page = context.pages()[0] ?? (await context.newPage());
    const close = async () => {
      await context.close();
      await removeProfile();
    };
    return { page, close };
  } catch (cause) {
    await removeProfile();
    throw cause;
  }
}
