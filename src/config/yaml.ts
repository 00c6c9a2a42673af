import { Composer, type CST, type Document, type ErrorCode, isScalar, LineCounter, Parser } from 'yaml';
import type { Fault } from './problem.ts';

export interface Parsed {
  /** Null where the faults leave nothing to look at. */
  document: Document.Parsed | null;
  faults: Fault[];
  lines: LineCounter;
}

const maxCharacters = 250_000;
const maxDepth = 50;

/** YAML 1.2, one document, a mapping. Messages are our own: the parser's quote the text, which may hold a secret. */
export function parseYaml(text: string): Parsed {
  const lines = new LineCounter();
  const failed = (faults: Fault[]): Parsed => ({ document: null, faults, lines });
  if (text.length > maxCharacters) return failed([{ offset: 0, message: `longer than ${maxCharacters} characters` }]);
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  if (depthOf(tokens) > maxDepth) return failed([{ offset: 0, message: 'nested too deeply for a configuration' }]);
  const documents = [...new Composer({ uniqueKeys: false, stringKeys: true }).compose(tokens)];
  const faults = documents.flatMap((document) => syntaxFaults(document, text));
  if (faults.length > 0) return failed(firstOfEachLine(faults, lines));
  const [document, second] = documents;
  if (!document || isEmpty(document)) return failed([{ offset: 0, message: 'the file is empty', hint: start }]);
  if (second) return failed([secondDocument(second)]);
  return { document, faults: [], lines };
}

const start = 'copy config.example.yaml and fill it in';

/** What the composer, which recurses, would do: thousands of open brackets end its stack, and with it the process. */
function depthOf(tokens: readonly CST.Token[]): number {
  let deepest = 0;
  const open = tokens.map((token) => ({ token, depth: 1 }));
  for (let next = open.pop(); next; next = open.pop()) {
    const depth = next.depth + 1;
    deepest = Math.max(deepest, depth);
    for (const token of childrenOf(next.token)) open.push({ token, depth });
  }
  return deepest;
}

function childrenOf(token: CST.Token): CST.Token[] {
  const items = 'items' in token ? token.items.flatMap((item) => [item.key, item.value]) : [];
  const value = token.type === 'document' ? token.value : undefined;
  return [value, ...items].filter((child) => child !== undefined && child !== null);
}

function isEmpty({ contents }: Document.Parsed): boolean {
  return contents === null || (isScalar(contents) && contents.value === null);
}

function syntaxFaults({ errors, warnings, directives }: Document.Parsed, text: string): Fault[] {
  const faults = withoutEchoes([...errors, ...warnings]).map(({ code, pos: [offset] }) => {
    const isVariable = code === 'UNEXPECTED_TOKEN' && lineAround(offset, text).includes('${');
    return { offset, ...(isVariable ? unquotedVariable : (wordings[code] ?? otherSyntax)) };
  });
  if (!directives.yaml.explicit) return faults;
  const offset = Math.max(0, text.indexOf('%YAML'));
  return [...faults, { offset, message: 'a %YAML directive is not read', hint: 'remove that line' }];
}

/** Once the parser is off the track, every further line is unexpected to it. */
function withoutEchoes<T extends { code: ErrorCode }>(errors: readonly T[]): T[] {
  return errors.filter(({ code }, index) => index === 0 || code !== 'UNEXPECTED_TOKEN');
}

function lineAround(offset: number, text: string): string {
  const end = text.indexOf('\n', offset);
  return text.slice(text.lastIndexOf('\n', offset - 1) + 1, end < 0 ? undefined : end);
}

const otherSyntax = { message: 'this is not valid YAML' };
const unquotedVariable = {
  message: 'unexpected here',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what the person has to write.
  hint: 'inside { } and [ ] a variable stands in quotes: "${NAME}"',
};
const quoteIt = 'if it is text, put it in quotes';
const wordings: Partial<Record<ErrorCode, { message: string; hint?: string }>> = {
  BAD_ALIAS: { message: 'this alias (*name) cannot be read', hint: quoteIt },
  BAD_DQ_ESCAPE: { message: 'unknown escape after \\ in a double-quoted text', hint: "use single quotes: '…'" },
  BAD_INDENT: { message: 'wrong indentation, or a bracket that is not closed' },
  BAD_SCALAR_START: { message: 'text cannot begin with this sign', hint: 'put it in quotes' },
  BLOCK_AS_IMPLICIT_KEY: { message: 'a second ": " in one line', hint: quoteIt },
  MISSING_CHAR: { message: 'a quote, bracket, comma or colon is missing' },
  MULTILINE_IMPLICIT_KEY: { message: 'expected "key: value"', hint: 'is a colon missing, or a space after it?' },
  NON_STRING_KEY: { message: 'a key must be a plain word' },
  TAB_AS_INDENT: { message: 'indented with a tab', hint: 'YAML allows only spaces there' },
  TAG_RESOLVE_FAILED: { message: 'tags (!name) are not read', hint: quoteIt },
  UNEXPECTED_TOKEN: {
    message: 'unexpected here',
    hint: 'is the indentation right, and a text with special signs quoted?',
  },
};

/** After the first fault of a line the parser only guesses. */
function firstOfEachLine(faults: readonly Fault[], lines: LineCounter): Fault[] {
  const seen = new Set<number>();
  return [...faults]
    .sort((a, b) => a.offset - b.offset)
    .filter(({ offset }) => {
      const { line } = lines.linePos(offset);
      return seen.has(line) ? false : seen.add(line);
    });
}

function secondDocument(document: Document.Parsed): Fault {
  return {
    offset: document.contents?.range[0] ?? document.range[0],
    message: 'a second document begins before this',
    hint: 'a configuration is one document: remove the line ---',
  };
}
