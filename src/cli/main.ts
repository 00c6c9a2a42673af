import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { codeOf, explain, PgorderlyError } from '../errors.ts';

/** Gives the exit code, if it isn't 0: 1 failed, 2 wrong usage; `check` has codes of its own. */
type Run = () => Promise<unknown>;

const { version } = JSON.parse(readFileSync(new URL(import.meta.resolve('#package/package.json')), 'utf8')) as {
  version: string;
};

const checkHelp = `
Without --url, PGHOST or PGSERVICE names the server. --threshold lock-chains.minWaitSeconds=0 reports everything.
For a server that cannot be reached or is not supported --json prints no document: the reason is on standard
error, the exit code 3.`;

/** Each command's code is loaded when it is run: `check` needs neither Slack's libraries nor the queue's. */
function createProgram(): Command {
  const program = new Command('pgorderly')
    .description('Finds trouble on PostgreSQL, offers the fix in Slack, runs it once it is approved.')
    .version(version)
    .showSuggestionAfterError()
    .showHelpAfterError('(see pgorderly --help)')
    .configureOutput({ writeErr: (text) => process.stderr.write(withoutPasswords(text)) })
    .exitOverride();
  program
    .command('start')
    .description('run the service')
    .requiredOption('--config <file>', 'the configuration, see config.example.yaml')
    .action((options) => end(async () => (await import('./start.ts')).start(options)));
  addCheck(program);
  program
    .command('demo')
    .description('real trouble on a server of its own, and a local Slack to mend it in')
    .option('--check', 'play the story without a person, and exit 0 or 1')
    .option('--port <number>', 'of the page', toPort)
    .action((options) => end(async () => (await import('./demo.ts')).demo(options)));
  program
    .command('jobs')
    .description('list what is looked for, with thresholds')
    .action(() => print(async () => [(await import('./jobs.ts')).listJobs()]));
  addRunbooks(program);
  program
    .command('plan')
    .description('say what a runbook would do here, and whether it might; runs nothing; exit 1 where a guard refuses')
    .argument('<runbook>')
    .requiredOption('--config <file>', 'the configuration')
    .requiredOption('--target <name>', 'of the configuration')
    .addOption(new Option('--param <name=value>', 'may be repeated').argParser(collect).default([], 'none'))
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\n--param database=shop and --param node=db1:5432 say where; pid=4711 or index=shop.orders_idx what.',
    )
    .action((runbook, options) => end(async () => (await import('./plan.ts')).plan(runbook, options)));
  addAudit(program);
  addConfig(program);
  program
    .command('docs')
    .description('write the generated pages of docs/')
    .option('--check', 'only say whether they are up to date')
    .action((options) => end(async () => (await import('./docs.ts')).docs(options)));
  return program;
}

function addCheck(program: Command): void {
  program
    .command('check')
    .description('look once, from a terminal; exit 2 critical, 1 warning, 3 not judged or failed, 0 well')
    .argument('<job...>', 'job names, or all')
    .option('--url <url>', 'of the server: postgres://user@host:5432/database')
    .option(
      '--all-databases',
      'where a job looks into one database, into each (sessions and locks are seen in all anyway)',
    )
    .option('--config <file>', 'take the server from a configuration')
    .option('--target <name>', 'of the configuration')
    .option('--json', 'print one JSON document')
    .addOption(new Option('--threshold <job.name=number>', 'may be repeated').argParser(collect).default([], 'none'))
    .addHelpText('after', checkHelp)
    .action((names, options) => end(async () => (await import('./check.ts')).check(names, options)));
}

function addRunbooks(program: Command): void {
  const command = program.command('runbooks').description('what can be done about it');
  command
    .command('list', { isDefault: true })
    .description('list them, with their parameters')
    .option('--config <file>', 'with those of its own folder')
    .allowExcessArguments()
    .action((options, { args }: Command) => {
      // The default command takes every word that is no other, also a mistyped one.
      if (args.length > 0) command.error(`error: unknown command '${args[0]}': there are list and check`);
      return print(async () => [await (await import('./runbooks.ts')).listRunbooks(options)]);
    });
  command
    .command('check')
    .description('say everything that is wrong with the runbooks of a folder')
    .argument('[folder]')
    .action((folder?: string) =>
      end(async () => {
        const { lines, exitCode } = await (await import('./runbooks.ts')).checkRunbooks(folder);
        console.log(lines.join('\n'));
        return exitCode;
      }),
    );
}

function addAudit(program: Command): void {
  const command = program.command('audit').description('the record of all that was asked, approved and done');
  const withState = (name: string) =>
    command
      .command(name)
      .option('--config <file>', 'whose state database to read')
      .option('--state-url <url>', 'the state database itself');
  withState('verify')
    .description('find changed, removed, reordered and cut-off entries')
    .option('--head <seq:hash>', 'a head noted elsewhere: finds an end that was cut off')
    .action((options) =>
      end(async () => {
        const { line, exitCode } = await (await import('./audit.ts')).verify(options);
        console.log(line);
        return exitCode;
      }),
    );
  withState('export')
    .description('write every entry, in order')
    .addOption(new Option('--format <format>').choices(['jsonl']).default('jsonl'))
    .action((options) => end(async () => (await import('./audit.ts')).exportAudit(options, console.log)));
}

function addConfig(program: Command): void {
  const command = program.command('config').description('work with the configuration');
  command
    .command('check')
    .description('say everything that is wrong with it, and where')
    .option('--config <file>', 'the configuration', 'pgorderly.yaml')
    .action(({ config }) => end(async () => (await import('./config.ts')).checkConfig(config)));
}

async function print(make: () => Promise<string[]>): Promise<void> {
  console.log((await make()).join('\n'));
}

async function end(run: Run): Promise<void> {
  const code = await run();
  // A pipe takes 64 kB at once: the rest of a long answer would go with this process.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))));
  // What was printed may have failed: that is told at the next turn.
  await setImmediate();
  process.exit(typeof code === 'number' ? code : 0);
}

function collect(one: string, all: string[]): string[] {
  return [...all, one];
}

function toPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError('a port is 1 to 65535');
  return port;
}

/** `check` says 3 for whatever kept it from looking, so that a monitor never takes that for a finding. */
const isCheck = process.argv[2] === 'check';

// Whoever reads our output may leave early, as `head` does: the command goes on to its own exit code.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error) => {
    if (codeOf(error) !== 'EPIPE') fail(error);
  });

try {
  await createProgram().parseAsync();
} catch (error) {
  fail(error);
}

function fail(error: unknown): never {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : isCheck ? 3 : 2);
  console.error(withoutPasswords(`pgorderly: ${explain(error)}`));
  if (isDefect(error)) console.error('  This is a defect of pgorderly: please report it, with what DEBUG=1 shows.');
  if (process.env['DEBUG']) console.error(withoutPasswords(inspect(error)));
  process.exit(isCheck ? 3 : error instanceof PgorderlyError && error.code === 'usage' ? 2 : 1);
}

/** A URL in the wrong place is quoted in what is said of that place. */
function withoutPasswords(text: string): string {
  return text.replace(/(:\/\/[^\s:/@]*):\S*@/g, '$1:…@').replace(/([?&](?:ssl)?password=)[^\s&'"]*/g, '$1…');
}

/** What the system refuses, such as a full disk, is none of ours. */
function isDefect(error: unknown): boolean {
  if (error instanceof PgorderlyError) return error.code === 'internal';
  return !(error instanceof Error && 'syscall' in error);
}
