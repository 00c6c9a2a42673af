// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration's own variables look like that.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { load, minimal, problemsOf } from './sample.ts';

const secret = 'Zq7:#@/%41 {x}';
const whole = `${minimal}approvers: { dba: [U0A, U0B, U0C] }
policies: { production: { high: { people: 2, of: [dba], asker: never } } }
queue: { redis: "redis://localhost" }
http: { host: 127.0.0.1, port: 8080 }
log: { level: info }
jobs: { long-transactions: { enabled: true, schedule: "0 * * * * *", after: 60s, thresholds: { minSeconds: 5 } } }
`;
const pieces = [
  'state',
  'slack:',
  'targets',
  'nodes',
  'url',
  '- ',
  ': ',
  '\n',
  '  ',
  '\t',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
];
const signs = [
  '${',
  '$${',
  '${A}',
  '&a ',
  '*a',
  '!x ',
  '|',
  '>',
  '#',
  '---',
  '%YAML 1.1',
  '\uFEFF',
  '__proto__',
  '<<',
  '5',
  'off',
];

const yamlish = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.constantFrom(...pieces, ...signs), { maxLength: 40 }).map((parts) => parts.join('')),
  fc.tuple(fc.nat(whole.length), fc.nat(20), fc.constantFrom(...pieces, ...signs)).map(([at, cut, piece]) => {
    return whole.slice(0, at) + piece + whole.slice(at + cut);
  }),
  fc.json(),
);

describe('any text', () => {
  it('is a configuration, or has an error with a place in it', () => {
    fc.assert(
      fc.property(yamlish, (text) => {
        const { config, problems } = load(text);
        const errors = problems.filter(({ level }) => level === 'error');
        expect(config === null).toBe(errors.length > 0);
        const lines = text.split('\n').length;
        for (const { line, column } of problems) {
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(lines);
          expect(column).toBeGreaterThanOrEqual(1);
        }
      }),
      { numRuns: 400 },
    );
  });
});

describe('a value from the environment', () => {
  const scalars = [...whole.matchAll(/(?<=: |\[|, )("[^"]*"|[\w$][^,\]}\n]*\}?)/g)].map((match) => match[0]);
  const forms = [
    '"${SECRET}"',
    '"x${SECRET}"',
    '"postgres://u:${SECRET}@h/d"',
    '"postgres://${SECRET}"',
    '"${NONE:-${SECRET}"',
  ];
  const variables = { STATE: 'a', BOT: 'xoxb-b', APP: 'xapp-x', MON: 'y', SECRET: secret };

  it('is in no problem, wherever it stands', () => {
    expect(scalars.length).toBeGreaterThan(15);
    for (const scalar of scalars) {
      for (const form of forms) {
        const text = problemsOf(
          whole.replace(scalar, () => form),
          variables,
        ).join('\n');
        for (const shown of [secret, encodeURIComponent(secret), 'Zq7', '%41']) expect(text).not.toContain(shown);
      }
    }
  });
});
