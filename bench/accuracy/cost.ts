import { type Candidate, lookInCatalog, readColumns } from '../../jobs/table-bloat.gather.ts';
import type { Server } from '../../src/demo/server.ts';
import type { Ask } from '../../src/detect/job.ts';
import { readStatement } from '../../src/detect/statements.ts';
import { Reader } from '../../src/targets/reader.ts';
import { largeEvery, makeTables } from '../many-tables.ts';
import { askCheckPostgres } from './check-postgres.ts';

const repeats = 5;
const floors = [128 * 1024, 1024 ** 2];
const limitMs = 1_000;
const limitShare = 0.25;

/** What the look at the catalog costs with so many tables, three indexes each, beside check_postgres in the same run. */
export async function compareCost(server: Server, count: number): Promise<string[]> {
  await makeTables(server, 'many', count);
  const reader = new Reader({ name: 'main', url: server.url('many') });
  const ask: Ask = (statement, params) =>
    reader.ask(readStatement('table-bloat', statement), params, { statementTimeoutMs: 60_000 });
  try {
    const peer = askCheckPostgres(server, 'many');
    const lines = [
      `\n${count} tables, three indexes each, every ${largeEvery}th above 128 kB; median of ${repeats}, ms\n`,
      '| floor | looked at | ours | at most | check_postgres | ratio | at most |',
      '|---:|---:|---:|---|---:|---:|---|',
    ];
    for (const floor of floors) {
      const looks = [];
      for (let repeat = -1; repeat < repeats; repeat++) looks.push(await timeLook(ask, floor));
      const times = looks.slice(1).map(({ ms }) => ms);
      const ours = [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
      const ratio = peer && ours / peer.elapsedMs;
      lines.push(
        `| ${floor / 1024} kB | ${looks[0]?.tables} | ${ours.toFixed(0)} | ${verdict(ours, limitMs)} | ${peer?.elapsedMs.toFixed(0) ?? 'not installed'} | ${ratio?.toFixed(3) ?? ''} | ${ratio === null ? '' : verdict(ratio, limitShare)} |`,
      );
    }
    return lines;
  } finally {
    await reader.close();
  }
}

function verdict(figure: number, limit: number): string {
  return `${limit}: ${figure <= limit ? 'kept' : 'MISSED'}`;
}

/** As gatherBloat does it, without what is measured of the suspects. */
async function timeLook(ask: Ask, floor: number): Promise<{ ms: number; tables: number }> {
  const startedAt = performance.now();
  const candidates = (await ask(undefined, [floor])) as unknown as Candidate[];
  const columns = await readColumns(ask, candidates);
  for (const candidate of candidates) lookInCatalog(candidate, columns);
  return { ms: performance.now() - startedAt, tables: candidates.length };
}
