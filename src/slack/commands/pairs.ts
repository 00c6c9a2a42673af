import { short } from './words.ts';

/** Phones and macOS turn straight quotes into these. */
const doubled = /“([^“”]*)[“”]/;
const single = /[‘’]([^‘’]*)[‘’]/;

/** A value in single quotes, or a word in which double quotes may hold spaces, as they do in a name of SQL. */
const pair = new RegExp(
  [/\s*([a-z_][a-z0-9_]*)=/, /('(?:[^']|'')*'|‡(?=\s|$)|(?!['‘])(?:"(?:[^"]|"")*"|†|[^\s"“”])*)/, /(?=\s|$)/]
    .map(({ source }) => source.replace('‡', single.source).replace('†', doubled.source))
    .join(''),
  'y',
);

/**
 * `name=value` and so on: `index=shop."Orders Idx" reason='it''s slow'`. A value that is quoted as a whole comes without
 * its quotes; those within it stay. `fault` says what is wrong.
 */
export function readPairs(text: string): { params: Record<string, string> } | { fault: string } {
  const params = new Map<string, string>();
  const line = decode(text).trimEnd();
  for (let at = 0; at < line.length; at = pair.lastIndex) {
    pair.lastIndex = at;
    const [, name, value] = pair.exec(line) ?? [];
    if (name === undefined || value === undefined) return { fault: faultOf(line.slice(at).trimStart()) };
    if (params.has(name)) return { fault: `${short(name)} is there twice` };
    params.set(name, unquote(value));
  }
  return { params: Object.fromEntries(params) };
}

/** Slack sends these three as entities, in whatever is typed. */
function decode(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

function unquote(value: string): string {
  const straight = straighten(value);
  const [, inDoubles] = /^"((?:[^"]|"")*)"$/.exec(straight) ?? [];
  if (inDoubles !== undefined) return inDoubles.replaceAll('""', '"');
  const [, inSingles] = /^'((?:[^']|'')*)'$/.exec(straight) ?? [];
  return inSingles === undefined ? straight : inSingles.replaceAll("''", "'");
}

/** What stands between straight quotes stays as it is. */
function straighten(value: string): string {
  const whole = new RegExp(`^${single.source}$`).exec(value);
  if (whole) return `'${whole[1]?.replaceAll("'", "''")}'`;
  const parts = new RegExp(`"(?:[^"]|"")*"|${doubled.source}`, 'g');
  return value.replaceAll(parts, (part: string, within: string | undefined) =>
    within === undefined ? part : `"${within.replaceAll('"', '""')}"`,
  );
}

function faultOf(rest: string): string {
  const [word = ''] = rest.split(/\s/);
  return /^[a-z_][a-z0-9_]*=.*["'“‘]/.test(word)
    ? `a quote of ${short(word)} is not closed; a quote within quotes is doubled`
    : `"${short(word)}" is not name=value`;
}
