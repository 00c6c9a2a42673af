/** Where in the configuration: keys and list positions from the top. */
export type Path = readonly (string | number)[];
export type Level = 'error' | 'warning';

/** Line and column count from 1. No text of a problem ever holds a value that came from the environment. */
export interface Problem {
  file: string;
  level: Level;
  line: number;
  column: number;
  message: string;
  hint?: string;
}

/** A problem that knows what it speaks of, but not yet its line. */
export interface Remark {
  level: Level;
  path: Path;
  /** What is pointed at: the value, unless it is the key that is wrong. */
  on?: 'key';
  message: string;
  hint?: string | undefined;
}

/** A problem at an offset of the text, for what has no path: syntax, duplicate keys, variables. */
export interface Fault {
  offset: number;
  message: string;
  hint?: string | undefined;
}

/** One line, as compilers write it, so that editors can jump to it. */
export function formatProblem(problem: Problem): string {
  const { file, line, column, level, message, hint } = problem;
  return `${file}:${line}:${column}: ${level}: ${message}${hint ? ` (${hint})` : ''}`;
}

/** `2 errors, 1 warning`; empty without problems. */
export function countProblems(problems: readonly Problem[]): string {
  const counts = (['error', 'warning'] as const).map((level) => {
    const count = problems.filter((problem) => problem.level === level).length;
    return count === 0 ? '' : `${count} ${level}${count === 1 ? '' : 's'}`;
  });
  return counts.filter((count) => count !== '').join(', ');
}

export function isInvalid(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.level === 'error');
}
