import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { followImports } from './imports.ts';

interface Need {
  /** Test support that is imported by tests with this need. */
  support: RegExp;
  tests: string;
  missing: string;
  isHere(): boolean;
  /** Nothing of such a file runs without it; the others skip single tests by themselves. */
  isForAll: boolean;
}

/** What some tests need beyond Node; the rest run anywhere, within seconds. */
const needs: readonly Need[] = [
  {
    support: /^(test\/support\/servers|src\/demo\/server)\.ts$/,
    tests: 'server',
    missing: 'there is no embedded PostgreSQL for this machine',
    isHere: () => hasPackage('pg17'),
    isForAll: true,
  },
  {
    support: /^(test\/support\/slack|src\/demo\/slack)\.ts$/,
    tests: 'Slack',
    missing: 'there is no local Slack for this machine',
    isHere: () => hasPackage('local-slack-linux-x64/package.json'),
    isForAll: true,
  },
  {
    support: /^test\/support\/browser\.ts$/,
    tests: 'browser',
    missing: 'chromium is not installed',
    isHere: () => existsSync('/usr/bin/chromium'),
    isForAll: false,
  },
  {
    support: /^test\/support\/redis\.ts$/,
    tests: 'Redis',
    missing: 'redis-server is not installed',
    isHere: () => onPath('redis-server'),
    isForAll: false,
  },
  {
    support: /^test\/(support\/pgbouncer|targets\/pgbouncer\.test)\.ts$/,
    tests: 'PgBouncer',
    missing: 'pgbouncer is not installed',
    isHere: () => onPath('pgbouncer'),
    isForAll: false,
  },
  {
    support: /^test\/(support\/psql|remedy\/psql\.test)\.ts$/,
    tests: 'psql',
    missing: 'psql is not installed',
    isHere: () => onPath('psql'),
    isForAll: false,
  },
];

export interface TestFile {
  /** Relative to the root. */
  file: string;
  needs: readonly Need[];
}

export function findTestFiles(root: string): TestFile[] {
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !name.includes('node_modules'))
    .sort()
    .map((name) => ({ file: join('test', name), needs: needsOf(root, join('test', name)) }));
}

/** The first need of a file that this machine doesn't meet, as the reason of a skip. */
export function unmetNeed(testFile: TestFile | undefined): Need | undefined {
  return testFile?.needs.find((need) => !need.isHere());
}

function needsOf(root: string, file: string): Need[] {
  const loaded = [...followImports(join(root, file)).files].map((each) => each.slice(root.length + 1));
  return needs.filter((need) => loaded.some((each) => need.support.test(each)));
}

function onPath(command: string): boolean {
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'].some((folder) =>
    existsSync(join(folder, command)),
  );
}

function hasPackage(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false; // it is optional: a machine it was not built for has none
  }
}
