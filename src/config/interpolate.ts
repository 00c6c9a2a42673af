export type Variables = Readonly<Record<string, string | undefined>>;

export interface Interpolated {
  text: string;
  /** Names of the variables it is made from, defaults included. */
  variables: string[];
  faults: { sign: string; message: string; hint: string }[];
}

type Part = { literal: string } | { name: string; value: string };

/**
 * Fills in `${NAME}` and `${NAME:-default}`; `$${` stands for a literal `${`. A variable before the `@` of a URL is
 * percent-encoded, so that a password may hold any sign; one that is percent-encoded already is left as it is.
 */
export function interpolate(text: string, variables: Variables): Interpolated {
  const faults: Interpolated['faults'] = [];
  const parts = splitParts(text, variables, faults);
  const names = parts.flatMap((part) => ('name' in part ? [part.name] : []));
  return { text: join(parts), variables: [...new Set(names)], faults };
}

function splitParts(text: string, variables: Variables, faults: Interpolated['faults']): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(/\$\$\{|\$\{([^}]*)(\}?)/g)) {
    parts.push({ literal: text.slice(end, match.index) });
    end = match.index + match[0].length;
    parts.push(match[1] === undefined ? { literal: '${' } : readVariable(match, variables, faults));
  }
  return [...parts, { literal: text.slice(end) }];
}

function readVariable(match: RegExpMatchArray, variables: Variables, faults: Interpolated['faults']): Part {
  const [, name, fallback] = /^([A-Za-z_]\w*)(?::-(.*))?$/s.exec(match[1] ?? '') ?? [];
  if (name === undefined || match[2] === '') {
    faults.push({
      sign: '${',
      message: 'this is not a variable',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what the person has to write.
      hint: 'write ${NAME} or ${NAME:-default}, and $${ for a literal ${',
    });
    return { literal: '' };
  }
  const value = (Object.hasOwn(variables, name) ? variables[name] : undefined) || fallback;
  if (value === undefined) faults.push(unsetFault(name, variables));
  return { name, value: value ?? '' };
}

function unsetFault(name: string, variables: Variables): Interpolated['faults'][number] {
  return {
    sign: `\${${name}`,
    message: `the environment variable ${name} is ${Object.hasOwn(variables, name) ? 'empty' : 'not set'}`,
    hint: `set it, or give it a default: \${${name}:-…}`,
  };
}

function join(parts: readonly Part[]): string {
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(literalOf(parts[0]));
  const lastAt = isUrl ? parts.findLastIndex((part) => literalOf(part).includes('@')) : -1;
  return parts
    .map((part, index) => {
      if ('literal' in part) return part.literal;
      return index < lastAt ? percentEncode(part.value) : part.value;
    })
    .join('');
}

function literalOf(part: Part | undefined): string {
  return part && 'literal' in part ? part.literal : '';
}

function percentEncode(value: string): string {
  return isPercentEncoded(value) ? value : encodeURIComponent(value);
}

function isPercentEncoded(value: string): boolean {
  if (!/^(?:[\w.~-]|%[0-9A-Fa-f]{2})*$/.test(value)) return false;
  try {
    decodeURIComponent(value);
    return true;
  } catch {
    // Not UTF-8 once decoded: then the % signs are the secret's own.
    return false;
  }
}
