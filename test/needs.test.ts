import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { findTestFiles } from './needs.ts';

const files = new Map(
  findTestFiles(dirname(dirname(fileURLToPath(import.meta.url)))).map(({ file, needs }) => [
    file,
    needs.map((need) => need.tests),
  ]),
);

test.each([
  ['test/needs.test.ts', []],
  ['test/http/metrics.test.ts', []],
  ['test/support/slack/limits.test.ts', []],
  ['test/support/servers.test.ts', ['server']],
  ['test/support/slack/page.test.ts', ['Slack', 'browser']],
  ['test/e2e/approve.test.ts', ['server', 'Slack']],
])('%s needs %j', (file, needs) => {
  expect(files.get(file)).toEqual(needs);
});
