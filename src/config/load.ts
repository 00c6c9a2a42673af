import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { AnyJob } from '../detect/job.ts';
import { codeOf, PgorderlyError } from '../errors.ts';
import { findCautions } from './cautions.ts';
import { type Config, resolveConfig } from './config.ts';
import { findDuplicates } from './duplicates.ts';
import { explainIssue } from './explain.ts';
import { checkFreezes } from './freeze-check.ts';
import type { Variables } from './interpolate.ts';
import { checkJobNames } from './job-names.ts';
import { checkPolicies } from './policy-check.ts';
import { countProblems, type Fault, formatProblem, isInvalid, type Level, type Problem } from './problem.ts';
import { ConfigFile } from './schema.ts';
import { readSource } from './source.ts';
import { parseYaml } from './yaml.ts';

export interface LoadOptions {
  env: Variables;
  jobs: readonly AnyJob[];
  /** For what ends on a day; the present unless told. */
  now?: Date;
}

export interface Loaded {
  /** Null where a problem is an error. */
  config: Config | null;
  /** All of them, in the order of the file. */
  problems: Problem[];
}

/** Reads and checks a file. Throws config-invalid where there is none that can be read. */
export function loadConfig(file: string, options: LoadOptions): Loaded {
  return parseConfig(decode(readBytes(file), file), { ...options, file });
}

/** As loadConfig, and throws config-invalid with every problem where there is an error. Warnings are not told. */
export function readConfig(file: string, options: LoadOptions): Config {
  const { config, problems } = loadConfig(file, options);
  if (config) return config;
  const lines = problems.map((problem) => formatProblem(problem));
  throw new PgorderlyError('config-invalid', [`${file} has ${countProblems(problems)}:`, ...lines].join('\n'));
}

/** Pure, given `now`. `file` is what the problems call it, and where its folders are looked for. */
export function parseConfig(written: string, options: LoadOptions & { file: string }): Loaded {
  const text = written.replace(/^\uFEFF/, '');
  const { document, faults, lines } = parseYaml(text);
  const problemAt = (level: Level, { offset, message, hint }: Fault): Problem => {
    const { line, col } = lines.linePos(offset);
    return {
      file: options.file,
      level,
      line: Math.max(line, 1),
      column: Math.max(col, 1),
      message,
      ...(hint ? { hint } : {}),
    };
  };
  if (!document) return { config: null, problems: sort(faults.map((fault) => problemAt('error', fault))) };
  const { source, faults: found } = readSource(document, text, options.env);
  const parsed = ConfigFile.safeParse(source.value);
  const remarks = [
    ...(parsed.error?.issues ?? []).flatMap((issue) => explainIssue(issue, source, ConfigFile)),
    ...findDuplicates(source, (path) => lines.linePos(source.offsetOf(path)).line),
    ...checkJobNames(source, options.jobs),
    ...checkPolicies(source),
    ...checkFreezes(source, options.now ?? new Date()),
    ...findCautions(source, options.now ?? new Date()),
  ];
  const problems = sort([
    ...found.map((fault) => problemAt('error', fault)),
    ...remarks
      .filter(({ path }) => !source.isBroken(path))
      .map((remark) => problemAt(remark.level, { ...remark, offset: source.offsetOf(remark.path, remark.on) })),
  ]);
  const config =
    parsed.success && !isInvalid(problems) ? resolveConfig(parsed.data, options.jobs, dirname(options.file)) : null;
  return { config, problems };
}

/** In the order of the file; what an alias repeats is said once. */
function sort(problems: readonly Problem[]): Problem[] {
  const distinct = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  return [...distinct.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const code = codeOf(cause);
    const [found, hint] = reasons[code ?? ''] ?? [`cannot be read: ${code ?? 'unknown reason'}`, undefined];
    throw new PgorderlyError('config-invalid', `${file} ${found}.`, { cause, ...(hint ? { hint } : {}) });
  }
}

const reasons: Readonly<Record<string, [found: string, hint: string]>> = {
  ENOENT: ['does not exist', 'Copy config.example.yaml and fill it in, or name another file with --config.'],
  ENOTDIR: ['does not exist', 'Name another file with --config.'],
  EISDIR: ['is a directory, not a file', 'Name the file inside it with --config.'],
  EACCES: ['may not be read by this user', 'Give the user that runs pgorderly the right to read it.'],
};

function decode(bytes: Buffer, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new PgorderlyError('config-invalid', `${file} is not UTF-8 text.`, { hint: 'Save it as UTF-8.', cause });
  }
}
