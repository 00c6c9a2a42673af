/** `cut`: from here to the end nothing can be told apart, because something is open or may be. */
export interface Token {
  kind: 'text' | 'literal' | 'space' | 'parameter' | 'cut';
  text: string;
}

/** One token that begins at `at`: its kind and its end. */
type Found = [kind: Token['kind'], end: number];

const blank = /[ \t\n\r\f\v]+/y;
const number =
  /(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?/y;
/** To PostgreSQL every byte above 127 is a letter, white space of other scripts too. */
const word = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y;
const parameter = /\$[0-9]{1,5}(?![0-9])/y;
const dollarTag = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
const dollarTagCut = /\$[A-Za-z0-9_\u0080-\uffff]*$/y;
const stringPrefix = /^[ebxn]$/i;

/**
 * PostgreSQL's lexical rules as far as hiding literals needs them, for any text: whole, wrong, or cut off at 1,024
 * bytes. Total, in linear time. Whether `\'` ends a plain string depends on the session's standard_conforming_strings,
 * which a watcher can't see: the text is cut there.
 * https://www.postgresql.org/docs/current/sql-syntax-lexical.html
 */
export function* lex(sql: string): Generator<Token> {
  for (let at = 0; at < sql.length; ) {
    const [kind, end] = tokenAt(sql, at);
    yield { kind, text: sql.slice(at, end) };
    if (kind === 'cut') return;
    at = end;
  }
}

function tokenAt(sql: string, at: number): Found {
  const character = sql.charAt(at);
  const pair = sql.slice(at, at + 2);
  const space = match(blank, sql, at);
  if (space) return ['space', space];
  if (pair === '--') return ['space', lineEnd(sql, at)];
  if (pair === '/*') return closed('space', commentEnd(sql, at));
  if (character === "'") return closed('literal', plainStringEnd(sql, at));
  if (character === '"') return closed('text', quoteEnd(sql, at));
  if (character === '$') return dollarAt(sql, at);
  const digits = match(number, sql, at);
  if (digits) return closed('literal', numberEnd(sql, digits));
  const letters = match(word, sql, at);
  return letters ? wordAt(sql, at, letters) : ['text', at + 1];
}

function wordAt(sql: string, at: number, end: number): Found {
  const prefix = sql.slice(at, end);
  if (sql[end] === "'" && stringPrefix.test(prefix)) {
    return closed('literal', /e/i.test(prefix) ? escapeStringEnd(sql, end) : plainStringEnd(sql, end));
  }
  const isUnicode = /^u$/i.test(prefix) && sql.startsWith("&'", end);
  return isUnicode ? closed('literal', plainStringEnd(sql, end + 1)) : ['text', end];
}

/** The end of a number with the letters after it: before PostgreSQL 15, `1e'…'` was a number and an escape string. */
function numberEnd(sql: string, digits: number): number | null {
  const end = match(word, sql, digits);
  if (!end) return digits;
  return sql[end] === "'" ? null : end;
}

function dollarAt(sql: string, at: number): Found {
  const known = match(parameter, sql, at);
  if (known) return ['parameter', known];
  const opened = match(dollarTag, sql, at);
  if (opened) {
    const tag = sql.slice(at, opened);
    const close = sql.indexOf(tag, opened);
    return closed('literal', close < 0 ? null : close + tag.length);
  }
  return match(dollarTagCut, sql, at) ? ['cut', sql.length] : ['text', at + 1];
}

function plainStringEnd(sql: string, quote: number): number | null {
  return quoteEnd(sql, quote, (at) => isEscaped(sql, at, quote));
}

/** After the closing one of two equal quotes; null where none closes, or where `isDoubtful` says so of one. */
function quoteEnd(sql: string, start: number, isDoubtful: (at: number) => boolean = () => false): number | null {
  const quote = sql.charAt(start);
  for (let at = sql.indexOf(quote, start + 1); at >= 0; at = sql.indexOf(quote, at + 2)) {
    if (isDoubtful(at)) return null;
    if (sql[at + 1] !== quote) return at + 1;
  }
  return null;
}

/** Whether an odd number of backslashes stands before a quote. */
function isEscaped(sql: string, quote: number, start: number): boolean {
  let first = quote;
  while (first - 1 > start && sql[first - 1] === '\\') first -= 1;
  return (quote - first) % 2 === 1;
}

function escapeStringEnd(sql: string, start: number): number | null {
  const special = /[\\']/g;
  special.lastIndex = start + 1;
  for (let found = special.exec(sql); found; found = special.exec(sql)) {
    const isPair = found[0] === '\\' || sql[found.index + 1] === "'";
    if (!isPair) return found.index + 1;
    special.lastIndex = found.index + 2;
  }
  return null;
}

function commentEnd(sql: string, start: number): number | null {
  const sign = /\/\*|\*\//g;
  sign.lastIndex = start;
  let depth = 0;
  for (let found = sign.exec(sql); found; found = sign.exec(sql)) {
    depth += found[0] === '/*' ? 1 : -1;
    if (depth === 0) return sign.lastIndex;
  }
  return null;
}

function lineEnd(sql: string, start: number): number {
  const end = /[\n\r]/g;
  end.lastIndex = start;
  return end.exec(sql)?.index ?? sql.length;
}

function closed(kind: Token['kind'], end: number | null): Found {
  return end === null ? ['cut', Number.POSITIVE_INFINITY] : [kind, end];
}

/** The end of what a sticky pattern finds at this very place, 0 for nothing. */
function match(pattern: RegExp, sql: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : 0;
}
