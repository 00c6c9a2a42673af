/** What a piece of a fence is to psql: a variable it would replace, a sign that ends something, or text as it stands. */
export type Piece =
  | { kind: 'text'; text: string; at: number }
  | { kind: 'literal' | 'identifier' | 'bare'; name: string; text: string; at: number }
  | { kind: 'semicolon' | 'backslash' | 'unterminated' | 'defined'; text: string; at: number };

type Kind = Piece['kind'] | 'comment';

/** To psql every character above 127 is a letter. */
const letter = 'A-Za-z_\\u0080-\\uffff';

/** Neither a no-break space nor any other of Unicode's: those are letters too. */
const blank = '[ \\t\\n\\r\\f\\v]';

const space = new RegExp(`^${blank}+$`);

/** In the order in which they are tried; after psqlscan.l, where the longest match wins. */
const rules: [Kind, RegExp][] = [
  ['text', new RegExp(`${blank}+`, 'y')],
  ['comment', /--[^\n\r]*/y],
  // psql reads line by line: where the server would go on with such a string, psql begins a plain one.
  ['text', /[eE]'(?:[^'\\]|\\[\s\S]|'')*'/y],
  ['text', /'(?:[^']|'')*'/y],
  ['text', /"(?:[^"]|"")*"/y],
  ['text', new RegExp(`\\$((?:[${letter}][${letter}0-9]*)?)\\$[\\s\\S]*?\\$\\1\\$`, 'y')],
  ['unterminated', new RegExp(`[eE]?'|"|\\$(?:[${letter}][${letter}0-9]*)?\\$`, 'y')],
  // In 1E'…' the E belongs to the number, however little the server likes it.
  ['text', new RegExp(`[${letter}][${letter}0-9$]*|[0-9][${letter}0-9]*|\\$[0-9]+`, 'y')],
  ['text', /::|:=/y],
  ['literal', new RegExp(`:'([${letter}0-9]+)'`, 'y')],
  ['identifier', new RegExp(`:"([${letter}0-9]+)"`, 'y')],
  ['defined', new RegExp(`:\\{\\?[${letter}0-9]+\\}`, 'y')],
  ['bare', new RegExp(`:([${letter}0-9]+)`, 'y')],
  ['semicolon', /;/y],
  ['backslash', /\\/y],
  ['text', /[\s\S]/y],
];

/** Whether psql would skip it: space or a comment. */
export function isBlank(text: string): boolean {
  return new RegExp(`^(?:${blank}|--|/\\*)`).test(text);
}

/** Cuts a fence into pieces as psql reads it; joined again, their texts are the fence. */
export function* scan(sql: string): Generator<Piece> {
  for (let at = 0; at < sql.length; ) {
    const piece = pieceAt(sql, at);
    yield piece;
    at += piece.text.length;
  }
}

/** The bytes that psql would send: variables filled in, empty lines left out. */
export function render(sql: string, variables: Readonly<Record<string, string>>): string {
  const pieces = [...scan(sql)].map((piece) => {
    const isVariable = piece.kind === 'literal' || piece.kind === 'identifier' || piece.kind === 'bare';
    if (!isVariable) return space.test(piece.text) ? piece.text.replace(/\n{2,}/g, '\n') : piece.text;
    const value = Object.hasOwn(variables, piece.name) ? variables[piece.name] : undefined;
    if (value === undefined || piece.kind === 'bare') return value ?? piece.text;
    return piece.kind === 'literal' ? quoteLiteral(value) : quoteIdentifier(value);
  });
  return pieces.join('');
}

/** As PQescapeLiteral does it: where there is a backslash, with E and a space before it. */
function quoteLiteral(value: string): string {
  const quoted = `'${value.replaceAll("'", "''")}'`;
  return quoted.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** As PQescapeIdentifier does it: always quoted. */
function quoteIdentifier(value: string): string {
  return `"${value.replaceAll('"', '""')}"`;
}

function pieceAt(sql: string, at: number): Piece {
  if (sql.startsWith('/*', at)) return commentAt(sql, at);
  for (const [kind, pattern] of rules) {
    pattern.lastIndex = at;
    const [text, name] = pattern.exec(sql) ?? [];
    if (text === undefined) continue;
    if (kind === 'literal' || kind === 'identifier' || kind === 'bare') return { kind, name: name ?? '', text, at };
    if (kind === 'unterminated') return { kind, text: sql.slice(at), at };
    return { kind: kind === 'comment' ? 'text' : kind, text, at };
  }
  throw new Error('the last rule takes any character');
}

/** Comments nest. */
function commentAt(sql: string, at: number): Piece {
  const sign = /\/\*|\*\//g;
  sign.lastIndex = at;
  let depth = 0;
  for (let found = sign.exec(sql); found; found = sign.exec(sql)) {
    depth += found[0] === '/*' ? 1 : -1;
    if (depth === 0) return { kind: 'text', text: sql.slice(at, sign.lastIndex), at };
  }
  return { kind: 'unterminated', text: sql.slice(at), at };
}
