import { lex, type Token } from './lexer.ts';

const defaultMax = 1000;
/** track_activity_query_size may be a megabyte; what is shown is short, and the event loop is shared. */
const longestRead = 65_536;
const cutSign = '…';
const replacements: Partial<Record<Token['kind'], string>> = { space: ' ', cut: cutSign };

/**
 * A query text without what it was about: literals become `$n` as in pg_stat_statements, numbered after the highest
 * parameter that is there already; comments go, names stay. What is cut off or may still be open ends in `…`.
 * `max` counts code points. For any text, in linear time.
 */
export function normaliseQuery(text: string, options?: { max?: number }): string;
export function normaliseQuery(text: string | null, options?: { max?: number }): string | null;
export function normaliseQuery(text: string | null, options: { max?: number } = {}): string | null {
  if (text === null) return null;
  const tokens = [...lex(text.slice(0, longestRead))];
  if (text.length > longestRead && tokens.at(-1)?.kind !== 'cut') tokens.push({ kind: 'cut', text: '' });
  let last = 0;
  for (const { kind, text: sign } of tokens) if (kind === 'parameter') last = Math.max(last, Number(sign.slice(1)));
  const parts: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'literal') last += 1;
    const part = token.kind === 'literal' ? `$${last}` : (replacements[token.kind] ?? token.text);
    if (isGlued(parts.at(-1) ?? '', part)) parts.push(' ');
    parts.push(part);
  }
  return shorten(printable(parts.join('')), options.max ?? defaultMax);
}

/** One line that shows what it holds: no control characters, nothing invisible, nothing that turns the reading round. */
export function printable(text: string): string {
  const visible = text.replace(/[\p{Cf}\p{Cs}\p{Co}]+/gu, '');
  return visible.replace(/[\s\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}

export function shorten(text: string, max: number): string {
  if (text.length <= max) return text;
  const points = Array.from(text.slice(0, 2 * max + 2));
  return points.length <= max ? text : `${points.slice(0, max - 1).join('')}${cutSign}`;
}

/** Whether a placeholder would grow together with a name beside it: `interval'1 day'`. */
function isGlued(before: string, next: string): boolean {
  const isName = /^[\w\u0080-\uffff]/.test(next) && next !== cutSign;
  return (/[\w$\u0080-\uffff]$/.test(before.slice(-1)) && next.startsWith('$')) || (before.startsWith('$') && isName);
}
