import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { env, jobs, minimal } from './sample.ts';

const load = (lines: string) =>
  parseConfig(minimal.replace('    nodes:', `${lines.replaceAll(/^/gm, '    ')}\n    nodes:`), {
    file: 'x.yaml',
    env,
    jobs,
    now: new Date('2026-11-21T12:00:00Z'),
  });
const problemsOf = (lines: string) =>
  load(lines).problems.map((problem) => formatProblem(problem).replace('x.yaml:', ''));

describe('the windows and freezes of a target', () => {
  it('are read', () => {
    const { config, problems } = load(`timezone: Europe/Berlin
windows: ["Sun 02:00-05:00", Mon-Fri 22:00-04:00]
freezes:
  - { from: 2026-12-20, until: 2027-01-06, reason: end of year }
  - { from: 2026-11-27 06:00, until: "2026-11-27 23:30", reason: sale }`);
    expect(problems).toEqual([]);
    expect(config?.targets[0]).toMatchObject({
      timezone: 'Europe/Berlin',
      windows: [
        { text: 'Sun 02:00-05:00', days: [0], from: 120, until: 300 },
        { text: 'Mon-Fri 22:00-04:00', days: [1, 2, 3, 4, 5], from: 1_320, until: 1_680 },
      ],
      freezes: [
        { from: Date.UTC(2026, 11, 20), until: Date.UTC(2027, 0, 7), reason: 'end of year' },
        { from: Date.UTC(2026, 10, 27, 6), until: Date.UTC(2026, 10, 27, 23, 30), reason: 'sale' },
      ],
    });
  });

  it.each([
    [
      'windows: [Sunday 2-5]',
      '9:15: error: "Sunday 2-5" is not a window (days, then from-until: "Sun 02:00-05:00" or "Mon-Fri 22:00-04:00"; without days it is every day)',
    ],
    ['windows: Sun 02:00-05:00', '9:14: error: expected a list, found "Sun 02:00-05:00"'],
    ['windows: [5]', '9:15: error: expected a window, found a number'],
    [
      'freezes: [{ from: 20.12.2026, until: 2027-01-06, reason: x }]',
      '9:23: error: "20.12.2026" is not a time (write 2026-12-20 or "2026-12-20 18:00")',
    ],
    [
      'freezes: [{ from: 2026-12-20, until: 2026-12-19, reason: x }]',
      '9:42: error: "2026-12-19" is not after its `from`',
    ],
    ['freezes: [{ from: 2026-12-20 18:00, until: 2026-12-20 18:00, reason: x }]', 'is not after its `from`'],
    [
      'freezes: [{ from: 2026-12-20, until: 2026-12-21 }]',
      '"reason" is missing (why nothing is begun then; chat shows it)',
    ],
    [
      'freezes: [{ from: 2026-10-01, until: 2026-11-01, reason: x }]',
      '9:42: warning: "2026-11-01" is over: this freeze holds nothing back any more (remove the entry)',
    ],
  ])('%s is told what is wrong', (lines, problem) => {
    expect(problemsOf(lines)).toEqual([expect.stringContaining(problem)]);
  });

  it('of one day and of the last day are whole days, in whichever time zone', () => {
    expect(problemsOf('freezes: [{ from: 2026-12-20, until: 2026-12-20, reason: x }]')).toEqual([]);
    expect(problemsOf('freezes: [{ from: 2026-11-01, until: 2026-11-20, reason: x }]')).toEqual([]);
  });
});
