import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { followImports } from './imports.ts';

/** What some tests need beyond Node, told by the test support they import; the rest run anywhere, within seconds. */
const needs = [
  { support: /^test\/support\/browser/, tests: 'browser', missing: 'chromium is not installed', isHere: hasChromium },
  {
    support: /^test\/support\/redis/,
    tests: 'Redis',
    missing: 'redis-server is not installed',
    isHere: () => onPath('redis-server'),
  },
  {
    support: /^(test\/support\/slack|src\/demo\/slack)\.ts/,
    tests: 'Slack',
    missing: 'the local Slack is not installed',
    isHere: () => hasPackage('local-slack-linux-x64'),
  },
  {
    support: /^(test\/support\/(servers?|standby|bot)|src\/demo\/server)\b/,
    tests: 'server',
    missing: 'the embedded PostgreSQL is not installed',
    isHere: () => hasPackage('pg17'),
  },
] as const;

/** Test files that need nothing but Node, relative to the root. */
export function pureTests(root: string): string[] {
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !name.includes('node_modules'))
    .map((name) => join('test', name))
    .filter((file) => needsOf(root, file).length === 0)
    .sort();
}

/** Why tests of this file were skipped: the first need of theirs that this machine doesn't meet. */
export function explainSkip(root: string, file: string): { tests: string; missing: string } {
  const unmet = needsOf(root, file).find((need) => !need.isHere());
  return unmet ?? { tests: file, missing: 'the test says so' };
}

function needsOf(root: string, file: string) {
  const loaded = [...followImports(join(root, file)).files].map((each) => each.slice(root.length + 1));
  return needs.filter((need) => loaded.some((each) => need.support.test(each)));
}

function hasChromium(): boolean {
  return existsSync('/usr/bin/chromium');
}

function onPath(command: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, command)));
}

function hasPackage(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(`${name}/package.json`);
    return true;
  } catch {
    return false; // not installed: it is optional
  }
}
