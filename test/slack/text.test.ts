import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clock, fitLines, plain, preformatted, toMrkdwn } from '../../src/slack/text.ts';

/** What Slack makes something of: `<@U1>`, `<!channel>`, `<#C1>`, `<https://…|label>`. */
const controls = /[<>]/;
const danglingEntity = /&(?!(amp|lt|gt);)/;
const loneSurrogate = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

const hostile = [
  '<!channel>',
  '<!here|here>',
  '<@U0MIRA>',
  '<#C0OPS>',
  '<https://evil.example|click>',
  '<!subteam^S1>',
  '<!date^0^{date}|x>',
  '&lt;!channel&gt;',
];
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.oneof(fc.constantFrom(...hostile, '`', '```', '&', '<', '>', '\n'), fc.string()))
    .map((it) => it.join('')),
);

describe('what is said in Slack', () => {
  it.each(hostile)('shows %s as it is written and lets it do nothing', (text) => {
    for (const said of [plain(text), toMrkdwn([text]), toMrkdwn([{ code: text }]), toMrkdwn([{ user: text }])]) {
      expect(said).not.toMatch(controls);
      expect(said.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&').replaceAll('`', '')).toBe(
        text,
      );
    }
  });

  it('forms no mention, link or broken entity from any text', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 60 }), (text, max) => {
        const fenced = preformatted(text).text?.text ?? '';
        for (const said of [
          plain(text),
          plain(text, max),
          toMrkdwn([text, { code: text }, { channel: text }]),
          fenced,
        ]) {
          expect(said).not.toMatch(controls);
          expect(said).not.toMatch(danglingEntity);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('mentions people and channels by their id only', () => {
    expect(toMrkdwn(['by ', { user: 'U0MIRA' }, ' in ', { channel: 'C0OPS' }])).toBe('by <@U0MIRA> in <#C0OPS>');
    expect(toMrkdwn([{ user: 'pgorderly' }, { user: '!channel' }])).toBe('pgorderly!channel');
  });

  it('lets code end only where it ends', () => {
    expect(toMrkdwn([{ code: 'a`b' }])).toBe("`a'b`");
    expect(preformatted('a\n```\n<!channel>').text?.text).toBe("```\na\n'''\n&lt;!channel&gt;\n```");
  });
});

describe('what is too long', () => {
  it('is cut to the limit, within neither an entity nor a character', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 80 }), (text, max) => {
        fc.pre(!loneSurrogate.test(text));
        const cut = plain(text, max);
        expect(cut.length).toBeLessThanOrEqual(max);
        expect(cut).not.toMatch(danglingEntity);
        expect(cut).not.toMatch(loneSurrogate);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['abcdef', 6, 'abcdef'],
    ['abcdefg', 6, 'abcde…'],
    ['abc<def', 6, 'abc…'],
    ['abcd😀ef', 6, 'abcd…'],
  ])('%s within %i characters is %s', (text, max, cut) => {
    expect(plain(text, max)).toBe(cut);
  });

  it('keeps a fence whole within the limit of a section', () => {
    const { text } = preformatted('<'.repeat(60_000));
    expect(text?.text.length).toBeLessThanOrEqual(3_000);
    expect(text?.text).toMatch(/…\n```$/);
  });

  it('keeps lines within an answer in a fence of their own, as they are written', () => {
    expect(toMrkdwn(['so:\n', { lines: '1 <idle>\n└─ ```2' }])).toBe("so:\n```\n1 &lt;idle&gt;\n└─ '''2\n```");
    const three = toMrkdwn(Array.from({ length: 3 }, () => ({ lines: '<'.repeat(9_000) })));
    expect(three.length).toBeLessThan(2_800);
    expect(three).toMatch(/…\n```$/);
  });

  it('loses whole lines of an answer, and says how many', () => {
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index} by <@U0MIRA>`).join('\n');
    const kept = fitLines(lines, 500);
    expect(kept.length).toBeLessThanOrEqual(500);
    expect(kept).toMatch(/<@U0MIRA>\n… \d+ more lines$/);
    expect(fitLines(lines, 5_000)).toBe(lines);
  });
});

describe('a time', () => {
  it('is the target’s own, with the date when it is another day there', () => {
    const at = new Date('2026-11-21T23:30:00Z');
    expect(clock(at, 'UTC', new Date('2026-11-21T01:00:00Z'))).toBe('23:30:00');
    expect(clock(at, 'Europe/Berlin', new Date('2026-11-21T12:00:00Z'))).toBe('2026-11-22 00:30:00');
  });
});
