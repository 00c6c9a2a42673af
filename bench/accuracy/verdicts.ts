import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../../src/demo/server.ts';
import { type Checked, checkTarget, type Memory } from '../../src/detect/check.ts';
import type { Thresholds } from '../../src/detect/job.ts';
import { Reader } from '../../src/targets/reader.ts';
import type { Trial, Verdict, VerdictCase } from './verdicts/case.ts';
import { duplicates } from './verdicts/duplicates.ts';
import { invalid } from './verdicts/invalid.ts';
import { lag } from './verdicts/lag.ts';
import { Scene } from './verdicts/scene.ts';
import { archiving, slots } from './verdicts/servers.ts';
import { locks, prepared, transactions } from './verdicts/sessions.ts';
import { debt, indexes, tables } from './verdicts/space.ts';

interface Servers {
  primary: Server;
  standby: Server;
}

/** Makes each case on real servers, and counts what each job says of it that is so, is not so, or is left out. */
export async function tryVerdicts(servers: Servers, seed: number): Promise<string[]> {
  const trials = [archiving, duplicates(seed), invalid, lag, slots, locks, transactions, prepared];
  const lines = [
    '| job | contender | cases | sick | found | missed | false | said not to know | traps |',
    '|---|---|---:|---:|---:|---:|---:|---:|---|',
  ];
  const notes: string[] = [];
  for (const trial of [...trials, tables, indexes, debt]) {
    const cases = trial.cases.filter(({ from = 12 }) => servers.primary.major >= from);
    const tried: Tried[] = [];
    for (const one of cases) tried.push(await tryCase(trial, one, { servers, number: ++made }));
    lines.push(rowOf(trial.job.name, 'pgorderly', tried, 'ours'));
    if (trial.peer) lines.push(rowOf('', `check_postgres ${trial.peer.action}`, tried, 'peer'));
    notes.push(...tried.flatMap(({ one, ours }) => complaints(trial.job.name, one, ours)));
    const peer = `check_postgres ${trial.peer?.action}`;
    notes.push(...tried.flatMap((each) => (each.peer ? complaints(peer, each.one, each.peer) : [])));
  }
  const unseen =
    '\nT7 (a partial index under a foreign key) and T8 (an int4 column fed by a bigint sequence): no job looks there.';
  return [...lines, ...notes.map((note) => `\n${note}`), unseen];
}

interface Said extends Verdict {
  isUnjudged: boolean;
}

interface Tried {
  one: VerdictCase;
  ours: Said;
  /** Null where it is not installed. */
  peer: Said | null;
}

let made = 0;

async function tryCase(
  trial: Trial,
  one: VerdictCase,
  { servers, number }: { servers: Servers; number: number },
): Promise<Tried> {
  const scene = await Scene.open(servers, `verdict_${number}`);
  try {
    const hold = await one.make(scene);
    const { result } = await look(trial, one, scene);
    if (result.outcome === 'error') throw new Error(`${trial.job.name}, ${one.name}: ${result.reason}`);
    const ours = { ...hold(result.findings.map(trial.sayOf)), isUnjudged: result.outcome === 'cannot-judge' };
    return { one, ours, peer: trial.peer && askPeer(trial.peer, one, scene) };
  } finally {
    await one.cure?.(scene);
    await scene.end();
  }
}

/** Twice, with what was remembered: how long something stands still only the second look knows. */
async function look(
  { job, thresholds, pauseSeconds = 0 }: Trial,
  one: VerdictCase,
  { primary, standby, database }: Scene,
): Promise<Checked> {
  const defaults = Object.entries(job.thresholds as Thresholds).map(([name, one]) => [name, one.default]);
  const urls = { primary: primary.url(database), ...(job.scope === 'target' && { standby: standby.url() }) };
  let memory: Memory = {};
  let checked: Checked | undefined;
  for (const seconds of pauseSeconds > 0 ? [0, pauseSeconds] : [0]) {
    await sleep(seconds * 1_000);
    const nodes = Object.entries(urls).map(([name, url]) => ({ name, reader: new Reader({ name, url }) }));
    const target = { name: 'bench', nodes, protectedBecause: () => null, memory };
    checked = await checkTarget(job, target, { ...Object.fromEntries(defaults), ...thresholds, ...one.thresholds });
    memory = checked.memory;
    await Promise.all(nodes.map(({ reader }) => reader.close()));
  }
  if (!checked) throw new Error('nothing was looked at');
  return checked;
}

/** It names nothing that could be held against the truth: an alarm where something is wrong counts as all of it. */
function askPeer(peer: NonNullable<Trial['peer']>, { isSick }: VerdictCase, scene: Scene): Said | null {
  const { primary, database } = scene;
  const own = peer.options(scene);
  const place = own.some((option) => option.startsWith('--host'))
    ? []
    : [`--host=${primary.host}`, `--port=${primary.port}`];
  const login = ['--dbuser=postgres', `--dbname=${database}`];
  const { status, error } = spawnSync('check_postgres', [`--action=${peer.action}`, ...place, ...login, ...own]);
  if (error) return null;
  const isAlarm = status === 1 || status === 2;
  const missed = isSick && status === 0 ? ['an alarm'] : [];
  return { missed, wrong: !isSick && isAlarm ? ['an alarm'] : [], isUnjudged: status === 3 };
}

function rowOf(job: string, contender: string, tried: readonly Tried[], who: 'ours' | 'peer'): string {
  const said = tried.flatMap((one) => (one[who] ? [{ ...one[who], isSick: one.one.isSick }] : []));
  const isMissed = ({ missed, isUnjudged }: Said) => missed.length > 0 && !isUnjudged;
  const sick = said.filter(({ isSick }) => isSick);
  const traps = [...new Set(tried.flatMap(({ one }) => one.trap ?? []))].join(' ');
  const figures = [
    said.length,
    sick.length,
    sick.filter(({ missed, isUnjudged }) => missed.length === 0 && !isUnjudged).length,
    said.filter(isMissed).length,
    said.filter(({ wrong }) => wrong.length > 0).length,
    said.filter(({ isUnjudged }) => isUnjudged).length,
  ];
  return `| ${job} | ${contender} | ${figures.join(' | ')} | ${who === 'ours' ? traps : ''} |`;
}

function complaints(who: string, { name }: VerdictCase, { missed, wrong, isUnjudged }: Said): string[] {
  const missing = missed.length > 0 && !isUnjudged ? [`${who}, ${name}: missed ${missed.join(', ')}`] : [];
  return wrong.length > 0 ? [...missing, `${who}, ${name}: false ${wrong.join(', ')}`] : missing;
}
