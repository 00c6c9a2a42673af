import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { explain, PgorderlyError } from '../errors.ts';

/** What a command ends with: 0 well, 1 failed, 2 wrong usage; `check` has codes of its own. */
type Run = () => Promise<number | undefined>;

const { version } = JSON.parse(readFileSync(new URL(import.meta.resolve('#package/package.json')), 'utf8')) as {
  version: string;
};

/** Each command's code is loaded when it is run: `check` needs neither Slack's libraries nor the queue's. */
function createProgram(): Command {
  const program = new Command('pgorderly')
    .description('Finds trouble on PostgreSQL, offers the fix in Slack, runs it once it is approved.')
    .version(version)
    .showSuggestionAfterError()
    .showHelpAfterError('(see pgorderly --help)')
    .exitOverride();
  program
    .command('start')
    .description('run the service')
    .requiredOption('--config <file>', 'the configuration, see config.example.yaml')
    .action((options) => end(async () => (await import('./start.ts')).start(options)));
  program
    .command('demo')
    .description('real trouble on a server of its own, and a local Slack to mend it in')
    .option('--check', 'play the story without a person, and exit 0 or 1')
    .option('--port <number>', 'of the page', toPort)
    .action((options) => end(async () => (await import('./demo.ts')).demo(options)));
  return program;
}

async function end(run: Run): Promise<void> {
  process.exit((await run()) ?? 0);
}

function toPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new InvalidArgumentError('a port is 1 to 65535');
  return port;
}

try {
  await createProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  console.error(`pgorderly: ${explain(error)}`);
  if (!(error instanceof PgorderlyError)) console.error('  This is a defect of pgorderly; DEBUG=1 shows where.');
  if (process.env['DEBUG']) console.error(error);
  process.exit(1);
}
