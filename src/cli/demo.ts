import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { jobs } from '../../jobs/index.ts';
import { playStory } from '../demo/check.ts';
import { narrate } from '../demo/narrate.ts';
import { channel, lowered, type Stage, setStage } from '../demo/stage.ts';
import { troubles } from '../demo/trouble.ts';
import { PgorderlyError } from '../errors.ts';

const major = 18;
const pauseMs = 20_000;

export interface DemoOptions {
  check?: boolean;
  port?: number;
}

/** Real trouble on a real server, and a Slack of its own to mend it in; ends with Ctrl-C and leaves nothing. */
export async function demo({ check = false, port }: DemoOptions): Promise<undefined> {
  const stopped = new AbortController();
  const onSignal = () => stopped.abort();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  console.log('Starting two PostgreSQL servers, a local Slack and the bot …');
  const stage = await setStage({ major, jobs, ...(port === undefined ? {} : { port }) });
  try {
    await (check ? playStory(stage, (line) => console.log(line)) : show(stage, stopped.signal));
  } finally {
    await stopAll(stage);
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

async function show(stage: Stage, signal: AbortSignal): Promise<void> {
  const thresholds = Object.entries(lowered).map(([name, value]) => `${name} ${value}`);
  console.log(`
  Open    ${stage.slack.url}
  Channel #${channel.name}; you act as Mira or Tom (they may approve) or Ana (she may not): "Act as" in the page
  Try     press Approve, Deny, Details; write /pg help, /pg status, /pg runs, /pg pause
  Lowered ${thresholds.join(', ')}
  Ctrl-C  stops and removes everything
`);
  const tell = (line: string) => console.log(`${new Date().toTimeString().slice(0, 8)} ${line}`);
  await Promise.all([narrate(stage, tell, signal), makeTrouble(stage, tell, signal)]);
}

async function makeTrouble(stage: Stage, tell: (line: string) => void, signal: AbortSignal): Promise<void> {
  for (let round = 0; !signal.aborted; round++) {
    const trouble = troubles[round % troubles.length];
    if (!trouble) return;
    tell(`trouble: ${trouble.title}. Try: ${trouble.hint}`);
    await trouble.run(stage.shop, signal);
    if (signal.aborted) return;
    tell(`over; the next trouble comes in ${pauseMs / 1000} s`);
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Throws demo-failed where a process of the demo outlives it. */
async function stopAll(stage: Stage): Promise<void> {
  const startedAt = performance.now();
  await stage.stop();
  const deadline = Date.now() + 5_000;
  while (stage.processes().length > 0 && Date.now() < deadline) await sleep(50);
  const left = stage.processes();
  if (left.length > 0) throw new PgorderlyError('demo-failed', `processes are left: ${left.join(', ')}`);
  console.log(`Stopped in ${((performance.now() - startedAt) / 1000).toFixed(1)} s; no process or folder is left.`);
}
