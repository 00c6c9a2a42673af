import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCommand } from '../../../src/slack/commands/grammar.ts';
import { help } from '../../../src/slack/commands/help.ts';
import { commandNames, examplesOf, topics } from '../../../src/slack/commands/words.ts';
import { toMrkdwn } from '../../../src/slack/text.ts';

const known = {
  jobs: ['lock-chains', 'long-transactions'],
  runbooks: ['cancel-query', 'terminate-session'],
  targets: ['shop', 'crm-test'],
};
const parse = (text: string) => parseCommand(text, known);
const mistakeOf = (text: string) => {
  const parsed = parse(text);
  return 'mistake' in parsed ? toMrkdwn(parsed.mistake) : null;
};

describe('a command', () => {
  it.each([
    ['', { name: 'help', topic: null }],
    ['  ', { name: 'help', topic: null }],
    ['help run', { name: 'help', topic: 'run' }],
    ['plan cancel-query shop pid=12', { name: 'plan', runbook: 'cancel-query', target: 'shop', params: { pid: '12' } }],
    ['HELP Approve', { name: 'help', topic: 'approve' }],
    ['check all', { name: 'check', jobs: known.jobs, targets: known.targets }],
    ['check lock-chains', { name: 'check', jobs: ['lock-chains'], targets: known.targets }],
    ['Check lock-chains  shop ', { name: 'check', jobs: ['lock-chains'], targets: ['shop'] }],
    [
      'run terminate-session shop pid=12 node=a:5432',
      { name: 'run', runbook: 'terminate-session', target: 'shop', params: { pid: '12', node: 'a:5432' } },
    ],
    [
      'run cancel-query shop pid=a=b empty=',
      { name: 'run', runbook: 'cancel-query', target: 'shop', params: { pid: 'a=b', empty: '' } },
    ],
    [
      'run  cancel-query shop  index=shop."Orders  Idx" database=shop',
      {
        name: 'run',
        runbook: 'cancel-query',
        target: 'shop',
        params: { index: 'shop."Orders  Idx"', database: 'shop' },
      },
    ],
    ["pause don't ask", { name: 'pause', isStopping: false, reason: "don't ask" }],
    ['locks shop', { name: 'locks', target: 'shop' }],
    ['runs', { name: 'runs' }],
    ['report shop', { name: 'report', target: 'shop' }],
    ['STATUS', { name: 'status' }],
    ['resume', { name: 'resume' }],
    ['pause', { name: 'pause', isStopping: false, reason: null }],
    ['pause deploy until 15:00', { name: 'pause', isStopping: false, reason: 'deploy until 15:00' }],
    ['pause --stop', { name: 'pause', isStopping: true, reason: null }],
    ['pause —stop the disk fills up', { name: 'pause', isStopping: true, reason: 'the disk fills up' }],
    ['pause it all --stop', { name: 'pause', isStopping: false, reason: 'it all --stop' }],
    ['stop R-12', { name: 'stop', runId: 12, reason: null }],
    ['stop 12', { name: 'stop', runId: 12, reason: null }],
    ['Stop r-12 the shop is slow', { name: 'stop', runId: 12, reason: 'the shop is slow' }],
    [
      'resolve R-12 failed the index is invalid',
      { name: 'resolve', runId: 12, verdict: 'failed', reason: 'the index is invalid' },
    ],
    ['resolve 12 SUCCEEDED seen', { name: 'resolve', runId: 12, verdict: 'succeeded', reason: 'seen' }],
  ])('/pg %s is understood', (text, command) => {
    expect(parse(text)).toEqual(command);
  });

  it.each([
    ['chekc', 'There is no command "chekc". Did you mean `/pg check`? For example: `/pg help run`'],
    [
      'frobnicate',
      'There is no command "frobnicate". There are: help, check, locks, plan, run, runs, stop, resolve, report, pause, resume, status.',
    ],
    ['help chekc', 'There is no help on "chekc". Did you mean `/pg help check`?'],
    ['help constructor', 'There is no help on "constructor". There are: help, check'],
    ['help run now', 'help takes one word, found "now" behind it.'],
    ['check', 'say what to check: a job, or all. For example: `/pg check lock-chains shop`'],
    ['check lock-chain', 'There is no job "lock-chain". Did you mean `/pg check lock-chains`?'],
    ['check lock-chains shpo', 'There is no target "shpo". Did you mean `/pg check lock-chains shop`?'],
    ['check lock-chains shop now', 'found "now" behind them'],
    ['locks', 'say on which target: shop, crm-test. For example: `/pg locks shop`'],
    ['locks shpo', 'There is no target "shpo". Did you mean `/pg locks shop`?'],
    ['locks shop now', 'locks takes one target, found "now" behind it'],
    [
      'run',
      'say which runbook: cancel-query, terminate-session. For example: `/pg run terminate-session shop pid=4711`',
    ],
    ['run terminate-sesion shop', 'There is no runbook "terminate-sesion". Did you mean `/pg run terminate-session`?'],
    ['run cancel-query', 'say on which target: shop, crm-test.'],
    ['run cancel-query prod', 'There is no target "prod". There are: shop, crm-test.'],
    ['run cancel-query shop 4711', '"4711" is not name=value. For example: `/pg run'],
    ['run cancel-query shop pid=1 pid=2', 'pid is there twice'],
    ['run cancel-query shop a=1 index="x', 'a quote of index="x is not closed; a quote within quotes is doubled'],
    ['runs all', 'runs takes nothing more, found "all". For example: `/pg runs`'],
    ['stop', 'say which run to stop. For example: `/pg stop R-12 the shop is slow`'],
    ['stop reindex', '"reindex" is not a run.'],
    ['stop R-12.5', '"R-12.5" is not a run.'],
    ['stop R-99999999999', '"R-99999999999" is not a run.'],
    ['resolve', 'say which run to resolve.'],
    ['resolve R-12', 'say how it ended: succeeded or failed. For example: `/pg resolve R-12 failed'],
    ['resolve R-12 done I looked', 'say how it ended: succeeded or failed.'],
    ['resolve R-12 failed', 'say how you know, the audit keeps it.'],
    ['Resume now', 'resume takes nothing more, found "now". For example: `/pg resume`'],
    ['<!channel>', 'There is no command "&lt;!channel&gt;".'],
  ])('/pg %s is told what is wrong, and an example', (text, mistake) => {
    expect(mistakeOf(text)).toContain(mistake);
    expect(mistakeOf(text)).toMatch(/For example: `\/pg [^`]+`$/);
  });

  it('is understood or told why not, whatever is typed, and never echoes much of it', () => {
    const words = fc.oneof(
      fc.constantFrom(...commandNames, ...known.jobs, ...known.targets),
      fc.string({ maxLength: 200 }),
    );
    fc.assert(
      fc.property(
        fc.array(words).map((it) => it.join(' ')),
        (text) => {
          const mistake = mistakeOf(text);
          if (mistake !== null) expect(mistake.length).toBeLessThan(900);
        },
      ),
    );
  });

  it('takes the names that an object has by itself as parameters like any other', () => {
    const parsed = parse('run cancel-query shop constructor=1 __proto__=2');
    expect('params' in parsed && Object.entries(parsed.params)).toEqual([
      ['constructor', '1'],
      ['__proto__', '2'],
    ]);
  });
});

describe('the help', () => {
  it.each(commandNames)('shows an example of %s that is understood', (name) => {
    const example = examplesOf(known)[name];
    expect(parse(example.replace('/pg ', ''))).toMatchObject({ name });
    expect(toMrkdwn(help(null, known))).toContain(example);
  });

  it.each(topics)('has a sentence about %s', (topic) => {
    expect(toMrkdwn(help(topic, known)).length).toBeGreaterThan(20);
  });
});
