import { nameValue } from './explain.ts';
import type { Path, Remark } from './problem.ts';
import { type Source, select } from './source.ts';
import { readPlace } from './url.ts';
import { LastDay } from './values.ts';

/** What works, and is seldom meant. */
export function findCautions(source: Source, now: Date): Remark[] {
  return [
    ...literalPasswords(source),
    ...literalTokens(source),
    ...swappedTokens(source),
    ...almostProduction(source),
    ...actionsElsewhere(source),
    ...endedIgnores(source, now),
  ];
}

const urls: readonly Path[] = [
  ['state', 'url'],
  ['queue', 'redis'],
  ['targets', '*', 'nodes', '*', 'url'],
  ['targets', '*', 'nodes', '*', 'actions', '*'],
];

function literalPasswords(source: Source): Remark[] {
  const paths = urls.flatMap((pattern) => select(source.value, pattern).map(({ path }) => path));
  return paths.flatMap((path) => {
    const text = maskVariables(source.textOf(path) ?? '');
    const [, inFront] = /^[a-z]+:\/\/[^:@/]*:([^@/]+)@/.exec(text) ?? [];
    const [, behind] = /[?&](?:ssl)?password=([^&]+)/.exec(text) ?? [];
    const isLiteral = [inFront, behind].some((password) => password !== undefined && !password.includes(mask));
    return isLiteral ? [secretHere(path, 'a password')] : [];
  });
}

function literalTokens(source: Source): Remark[] {
  return ['botToken', 'appToken', 'signingSecret'].flatMap((key) => {
    const text = maskVariables(source.textOf(['slack', key]) ?? mask);
    return text === '' || text.includes(mask) ? [] : [secretHere(['slack', key], 'a secret')];
  });
}

function secretHere(path: Path, what: string): Remark {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what the person has to write.
  const hint = 'put it into an environment variable and write ${NAME} here';
  return { level: 'warning', path, message: `${what} stands in this file`, hint };
}

const mask = '\0';

function maskVariables(text: string): string {
  return text.replaceAll(/\$\{[^}]*\}?/g, mask);
}

/** Slack decides what a token is; another server than Slack's may take any. */
function swappedTokens(source: Source): Remark[] {
  if (source.isWritten(['slack', 'apiUrl'])) return [];
  const kinds = [
    { key: 'botToken', pattern: /^xox[be]/, prefix: 'xoxb-' },
    { key: 'appToken', pattern: /^xapp-/, prefix: 'xapp-' },
  ];
  return kinds.flatMap(({ key, pattern, prefix }): Remark[] => {
    const [token] = select(source.value, ['slack', key]);
    if (typeof token?.value !== 'string' || pattern.test(token.value)) return [];
    const message = `${nameValue(source, token.path, true)} does not begin with ${prefix}`;
    return [{ level: 'warning', path: token.path, message, hint: 'are the two tokens swapped?' }];
  });
}

function almostProduction(source: Source): Remark[] {
  return select(source.value, ['targets', '*', 'environment']).flatMap(({ path, value }): Remark[] => {
    if (typeof value !== 'string' || value === 'production' || !/^(pro|prd|live)/.test(value)) return [];
    const message = `${nameValue(source, path)} has the policies of \`elsewhere\``;
    return [{ level: 'warning', path, message, hint: 'only the word production has those of `production`' }];
  });
}

function actionsElsewhere(source: Source): Remark[] {
  return select(source.value, ['targets', '*', 'nodes', '*', 'actions', '*']).flatMap(({ path, value }): Remark[] => {
    const [watched] = select(source.value, [...path.slice(0, 4), 'url']);
    if (source.isBroken(path) || !watched || source.isBroken(watched.path)) return [];
    const [here, there] = [serverOf(value), serverOf(watched.value)];
    if (here === null || there === null || here === there) return [];
    const message = "this login leads to another server or port than the node's own url";
    return [{ level: 'warning', path, message, hint: 'right only if both are the same server, as behind a pooler' }];
  });
}

function endedIgnores(source: Source, now: Date): Remark[] {
  return select(source.value, ['jobs', '*', 'ignore', '*', 'until']).flatMap(({ path, value }): Remark[] => {
    const end = LastDay.safeParse(value);
    if (!end.success || now < end.data) return [];
    const message = `${nameValue(source, path)} is over: what this entry ignored is told again`;
    return [{ level: 'warning', path, message, hint: 'remove the entry, or give it a new day' }];
  });
}

function serverOf(url: unknown): string | null {
  const place = typeof url === 'string' ? readPlace(url) : null;
  return place && 'host' in place ? `${place.host.toLowerCase()}:${place.port}` : null;
}
