import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { followImports } from './imports.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Importer, imported: what the folders' rules in biome.json are there to stop. */
const forbidden: [string, string][] = [
  ['jobs/a.ts', '../src/errors.ts'],
  ['jobs/a.ts', '../src/targets/reader.ts'],
  ['jobs/a.ts', 'node:fs'],
  ['jobs/a.ts', 'pg'],
  ['jobs/shared/a.ts', '../../src/errors.ts'],
  ['src/model.ts', './errors.ts'],
  ['src/errors.ts', './detect/job.ts'],
  ['src/log.ts', './config/load.ts'],
  ['src/config/a.ts', '../remedy/plan.ts'],
  ['src/config/a.ts', 'pg'],
  ['src/targets/a.ts', '../state/runs.ts'],
  ['src/targets/a.ts', '../remedy/plan.ts'],
  ['src/detect/a.ts', '@slack/bolt'],
  ['src/detect/a.ts', '../slack/drain.ts'],
  ['src/detect/a.ts', '../../jobs/index.ts'],
  ['src/alerts/a.ts', '@slack/web-api'],
  ['src/alerts/a.ts', '../../jobs/lock-chains.ts'],
  ['src/remedy/a.ts', '../slack/text.ts'],
  ['src/remedy/a.ts', '../queue/queues.ts'],
  ['src/remedy/a.ts', 'bullmq'],
  ['src/state/a.ts', '../slack/text.ts'],
  ['src/queue/a.ts', '../state/runs.ts'],
  ['src/queue/a.ts', '../targets/reader.ts'],
  ['src/slack/a.ts', 'pg'],
  ['src/slack/cards/a.ts', '../../targets/reader.ts'],
  ['src/slack/a.ts', '../queue/queues.ts'],
  ['src/slack/a.ts', '../../jobs/index.ts'],
  ['src/http/a.ts', '../state/runs.ts'],
  ['src/cli/check.ts', '../app.ts'],
  ['src/cli/check.ts', '../state/runs.ts'],
];

const allowed: [string, string][] = [
  ['jobs/a.ts', '../src/detect/job.ts'],
  ['jobs/a.ts', '../src/model.ts'],
  ['jobs/a.ts', './shared/sessions.ts'],
  ['jobs/shared/a.ts', '../../src/model.ts'],
  ['src/log.ts', 'pino'],
  ['src/config/a.ts', '../detect/job.ts'],
  ['src/detect/a.ts', '../targets/reader.ts'],
  ['src/alerts/a.ts', '../state/alerts.ts'],
  ['src/remedy/a.ts', 'pg'],
  ['src/queue/a.ts', '../targets/url.ts'],
  ['src/slack/a.ts', '../remedy/plan.ts'],
  ['src/slack/a.ts', '@slack/bolt'],
  ['src/http/a.ts', 'prom-client'],
  ['src/cli/check.ts', '../../jobs/index.ts'],
  ['src/cli/start.ts', '../app.ts'],
];

describe('a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pgorderly-imports-'));
  let refused: Set<string>;

  beforeAll(() => {
    refused = lint(folder, [...forbidden, ...allowed]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(forbidden)('may not import: %s from %s', (importer, imported) => {
    expect(refused).toContain(`${importer} ${imported}`);
  });

  test.each(allowed)('may import: %s from %s', (importer, imported) => {
    expect(refused).not.toContain(`${importer} ${imported}`);
  });
});

test('check loads neither Slack nor queues nor the state database', () => {
  const { files, packages } = followImports(join(root, 'src/cli/check.ts'));
  expect([...packages].filter((name) => /^(@slack\/|bullmq|ioredis|node-pg-migrate)/.test(name))).toEqual([]);
  expect([...files].filter((file) => /\/src\/(slack|queue|state)\//.test(file))).toEqual([]);
  expect(files.size).toBeGreaterThan(10);
});

/** What biome refuses of these imports, in a project that has nothing else and our rules. */
function lint(folder: string, imports: [string, string][]): Set<string> {
  const files = new Map<string, string[]>();
  for (const [importer, imported] of imports) files.set(importer, [...(files.get(importer) ?? []), imported]);
  for (const [importer, importeds] of files) {
    mkdirSync(join(folder, dirname(importer)), { recursive: true });
    writeFileSync(
      join(folder, importer),
      importeds.map((each, i) => `import { a as a${i} } from '${each}';\n`).join(''),
    );
  }
  for (const file of ['biome.json', '.gitignore']) cpSync(join(root, file), join(folder, file));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const options = ['lint', '--only=noRestrictedImports', '--reporter=github', '--max-diagnostics=none'];
  const { stdout } = spawnSync(join(root, 'node_modules/.bin/biome'), options, { cwd: folder, encoding: 'utf8' });
  const refusals = stdout.matchAll(/noRestrictedImports,file=[^,]*\/((?:src|jobs)\/[^,]+),line=(\d+)/g);
  return new Set([...refusals].map(([, file = '', line]) => `${file} ${files.get(file)?.[Number(line) - 1]}`));
}
