/**
 * `npm test`: format, lint, types, unused code, then the tests; stops at the first step that fails.
 * `npm test -- jobs/lock-chains` runs only the tests whose path says so, `--pure` those that need no server.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findTestFiles, unmetNeed } from './needs.ts';
import type { Tally } from './tally.ts';

interface Outcome {
  passed: number;
  failed: number;
  /** How many, by what and why. */
  skipped: Map<string, number>;
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isPure = process.argv.includes('--pure');
const filters = process.argv.slice(2).filter((argument) => argument !== '--pure');
const isCi = process.env['CI'] === 'true' && !isPure;

const steps: Record<string, string[]> = {
  'format and lint': ['biome', 'ci', '--colors=off', '--error-on-warnings', '--max-diagnostics=100', '.'],
  'compose file': ['dclint', '--max-warnings=0', 'docker-compose.yml'],
  types: ['tsc'],
  'unused code': ['knip'],
};

process.exitCode = main();

function main(): number {
  if (filters.length === 0) {
    for (const [name, command] of Object.entries(steps)) {
      if (!runStep(name, command)) return end({ passed: 0, failed: 1, skipped: new Map() });
    }
  }
  return end(runTests());
}

/** Silent where it is well; all it had to say where it isn't. */
function runStep(name: string, [tool = '', ...options]: string[]): boolean {
  const startedAt = Date.now();
  const { status, stdout, stderr } = spawnSync(bin(tool), options, { cwd: root, encoding: 'utf8' });
  tick(name, status === 0, startedAt);
  if (status !== 0) console.log(`${stdout ?? ''}${stderr ?? ''}`);
  return status === 0;
}

/** vitest itself says what fails, as it fails; the figures come from our own reporter. */
function runTests(): Outcome {
  const startedAt = Date.now();
  const files = findTestFiles(root);
  const impossible = files.filter((each) => unmetNeed(each)?.isForAll).map(({ file }) => file);
  const chosen = isPure ? files.filter(({ needs }) => needs.length === 0).map(({ file }) => file) : filters;
  const outcome = runVitest([...impossible.map((file) => `--exclude=${file}`), ...chosen]);
  if (!isPure) for (const file of impossible) countSkip(outcome, file, null);
  tick('tests', outcome.failed === 0, startedAt);
  return outcome;
}

function runVitest(options: string[]): Outcome {
  const folder = mkdtempSync(join(tmpdir(), 'pgorderly-test-'));
  const file = join(folder, 'tally.json');
  const reporters = [`--reporter=${filters.length > 0 ? 'default' : 'minimal'}`, '--reporter=./test/tally.ts'];
  try {
    const { status } = spawnSync(bin('vitest'), ['run', ...reporters, ...options], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, TALLY_FILE: file },
    });
    const { passed, failed, skipped } = readTally(file);
    const outcome = { passed, failed: status !== 0 && failed === 0 ? 1 : failed, skipped: new Map<string, number>() };
    for (const each of skipped) countSkip(outcome, relative(root, each.file), each.why);
    return outcome;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readTally(file: string): Tally {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skipped: [] }; // vitest broke before it could report, and said why
  }
}

/** Without a reason of the test's own, it is what its file needs and this machine has not. */
function countSkip({ skipped }: Outcome, file: string, why: string | null): void {
  const unmet = unmetNeed(findTestFiles(root).find((each) => each.file === file));
  const what = unmet ? `${unmet.isForAll ? 'files of ' : ''}${unmet.tests} tests` : `tests in ${file}`;
  const line = `${what} (${why ?? unmet?.missing ?? 'for a reason of their own'})`;
  skipped.set(line, (skipped.get(line) ?? 0) + 1);
}

/** CI skips nothing: what it could not run it has not shown. */
function end({ passed, failed, skipped }: Outcome): number {
  for (const [line, number] of skipped) console.log(`skipped: ${number} ${line}`);
  const missed = isCi ? [...skipped.values()].reduce((sum, number) => sum + number, 0) : 0;
  if (missed > 0) console.log('In CI a skipped test is a failed one.');
  console.log(`${passed} passed, ${failed + missed} failed`);
  return failed + missed > 0 ? 1 : 0;
}

function tick(name: string, isWell: boolean, startedAt: number): void {
  console.log(`${isWell ? '✓' : '✗'} ${name} ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
}

function bin(tool: string): string {
  return join(root, 'node_modules', '.bin', tool);
}
