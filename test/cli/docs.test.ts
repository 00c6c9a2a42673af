import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { generatePages } from '../../src/cli/docs.ts';

describe('the generated pages', async () => {
  it.each([...(await generatePages())])('docs/%s is up to date, else: npm run docs', (file, text) => {
    expect(readFileSync(new URL(`../../docs/${file}`, import.meta.url), 'utf8')).toBe(text);
  });
});
