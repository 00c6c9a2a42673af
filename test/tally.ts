import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/** What came of a run of vitest, as `test/run.ts` reads it. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: { file: string; why: string | null }[];
}

/** A reporter of vitest; writes a Tally to the file that TALLY_FILE names. */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tally: Tally = { passed: 0, failed: 0, skipped: [] };
    for (const module of modules) add(tally, module);
    writeFileSync(process.env['TALLY_FILE'] ?? '', JSON.stringify(tally));
  }
}

function add(tally: Tally, module: TestModule): void {
  const failedBefore = tally.failed;
  for (const test of module.children.allTests()) {
    const result = test.result();
    if (result.state === 'passed') tally.passed += 1;
    else if (result.state === 'failed') tally.failed += 1;
    else tally.skipped.push({ file: module.moduleId, why: 'note' in result ? (result.note ?? null) : null });
  }
  // A file that could not be loaded, or whose beforeAll failed, counts as one failed test.
  if (!module.ok() && tally.failed === failedBefore) tally.failed += 1;
}
