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

/** What vitest says in JSON. */
interface Report {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { name: string; status: string; assertionResults: { status: string }[] }[];
}

interface Tally {
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

/** vitest itself says what fails, as it fails; the figures come from its report. */
function runTests(): Tally {
  const startedAt = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'pgorderly-test-'));
  try {
    const files = findTestFiles(root);
    const impossible = files.filter((each) => unmetNeed(each)?.isForAll);
    const chosen = isPure ? files.filter(({ needs }) => needs.length === 0).map(({ file }) => file) : filters;
    const report = join(folder, 'report.json');
    const reporters = [`--reporter=${filters.length > 0 ? 'default' : 'minimal'}`, '--reporter=json'];
    const excluded = impossible.map(({ file }) => `--exclude=${file}`);
    const options = ['run', ...reporters, `--outputFile.json=${report}`, ...excluded, ...chosen];
    const { status } = spawnSync(bin('vitest'), options, { cwd: root, stdio: 'inherit' });
    const tally = count(readReport(report));
    if (status !== 0 && tally.failed === 0) tally.failed = 1;
    if (!isPure) for (const { file } of impossible) skip(tally, file, 1);
    tick('tests', tally.failed === 0, startedAt);
    return tally;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readReport(file: string): Report {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { numPassedTests: 0, numFailedTests: 1, testResults: [] }; // vitest broke before it could report, and said why
  }
}

/** A file that could not be loaded counts as one failed test. */
function count({ numPassedTests, numFailedTests, testResults }: Report): Tally {
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((each) => each.status === 'failed'),
  );
  const tally: Tally = { passed: numPassedTests, failed: numFailedTests + broken.length, skipped: new Map() };
  for (const { name, assertionResults } of testResults) {
    const number = assertionResults.filter(({ status }) => status !== 'passed' && status !== 'failed').length;
    if (number > 0) skip(tally, relative(root, name), number);
  }
  return tally;
}

function skip({ skipped }: Tally, file: string, number: number): void {
  const unmet = unmetNeed(findTestFiles(root).find((each) => each.file === file));
  const unit = unmet?.isForAll ? 'files of ' : '';
  const why = unmet ? `${unit}${unmet.tests} tests (${unmet.missing})` : `tests in ${file} (for a reason of their own)`;
  skipped.set(why, (skipped.get(why) ?? 0) + number);
}

/** CI skips nothing: what it could not run it has not shown. */
function end({ passed, failed, skipped }: Tally): number {
  for (const [why, number] of skipped) console.log(`skipped: ${number} ${why}`);
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
