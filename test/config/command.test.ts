import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { edited, env, minimal } from './sample.ts';

const program = fileURLToPath(new URL('../../bin/pgorderly.js', import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgorderly-config-'));
  writeFileSync(join(folder, 'right.yaml'), minimal);
  writeFileSync(join(folder, 'wrong.yaml'), edited('name: orders', 'name: Orders'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(...words: string[]) {
  return spawnSync(process.execPath, [program, ...words], {
    env: { PATH: process.env['PATH'], ...env },
    encoding: 'utf8',
  });
}

describe('pgorderly config check', () => {
  it('sums up a right file and exits with 0', () => {
    const file = join(folder, 'right.yaml');
    expect(run('config', 'check', '--config', file)).toMatchObject({
      status: 0,
      stdout: `${file} is valid: 1 target, 1 node, observe-only: orders\n`,
      stderr: '',
    });
  });

  it('prints every problem of a wrong file and exits with 1', () => {
    const file = join(folder, 'wrong.yaml');
    expect(run('config', 'check', '--config', file)).toMatchObject({
      status: 1,
      stdout: `${file}:7:11: error: "Orders" is not a target name (up to 40 small letters, digits and dashes)\n1 error\n`,
    });
  });

  it('says that there is no file and exits with 1', () => {
    const file = join(folder, 'none.yaml');
    const { status, stderr } = run('config', 'check', '--config', file);
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining(`${file} does not exist.`) });
  });

  it.each([['config', 'chek'], ['config', 'check', '--nope'], ['config', 'check', 'extra'], ['config']])(
    'exits with 2 when it is called wrongly: %s %s',
    (...words) => {
      expect(run(...words.filter((word) => word !== undefined)).status).toBe(2);
    },
  );
});
