import { isBlank, scan } from './psql.ts';

/**
 * What the columns of a query are called, as far as its text tells: null for one whose name the server gives it, or for
 * several (`*`); null for what is no query.
 */
export function columnsOf(sql: string): (string | null)[] | null {
  const items = itemsOf([...scan(sql)].map(({ text }) => text).filter((text) => !isBlank(text)));
  return items?.filter((item) => item.length > 0).map(nameOf) ?? null;
}

const after = new Set(
  'from where group having window union intersect except order limit offset fetch for into'.split(' '),
);

/** The tokens between the first `select` outside parentheses and what follows its list, cut at the commas. */
function itemsOf(tokens: readonly string[]): string[][] | null {
  let items: string[][] | null = null;
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    const word = token.toLowerCase();
    if (depth === 0 && items && after.has(word) && !isDistinctFrom(tokens, index)) break;
    if (token === '(' || token === '[') depth += 1;
    if (token === ')' || token === ']') depth -= 1;
    if (depth === 0 && word === 'select') items ??= [[]];
    else if (depth === 0 && token === ',') items?.push([]);
    else items?.at(-1)?.push(token);
  }
  return items;
}

function isDistinctFrom(tokens: readonly string[], index: number): boolean {
  return tokens[index]?.toLowerCase() === 'from' && tokens[index - 1]?.toLowerCase() === 'distinct';
}

function nameOf(item: readonly string[]): string | null {
  const words = item[0]?.toLowerCase() === 'distinct' ? item.slice(1) : item;
  const last = words.at(-1) ?? '';
  const isNamed = words.at(-2)?.toLowerCase() === 'as';
  const isColumn = words.length % 2 === 1 && words.every((word, index) => index % 2 === 0 || word === '.');
  if (!isNamed && !isColumn) return null;
  if (last.startsWith('"')) return last.slice(1, -1).replaceAll('""', '"');
  return /^[a-z_\u0080-\uffff]/i.test(last) ? last.toLowerCase() : null;
}
