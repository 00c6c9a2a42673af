import type { App } from '@slack/bolt';
import { explain } from '../../errors.ts';
import { errorFields } from '../../log.ts';
import type { Text } from '../../model.ts';
import type { SlackContext } from '../context.ts';
import { answer, takeIn } from '../intake.ts';
import { newTrace } from '../trace.ts';
import { type Command, parseCommand } from './grammar.ts';
import { help } from './help.ts';
import { readLocks } from './locks.ts';
import { readPlan } from './plan.ts';
import { checkAndTell, readRuns, readStatus } from './reads.ts';
import type { Known } from './words.ts';

/** `/pg …`: what changes something is stored before it is acknowledged, the rest is answered at once. */
export function registerCommands(app: App, context: SlackContext): void {
  app.command('/pg', async ({ command, ack }) => {
    const parsed = parseCommand(command.text ?? '', knownTo(context));
    const person = { userId: command.user_id, teamId: command.team_id };
    if ('mistake' in parsed) {
      await ack();
      return await answer(command.response_url, parsed.mistake);
    }
    const payload = payloadOf(parsed);
    if (payload === null) {
      await ack();
      return await answerRead(context, parsed, command.response_url);
    }
    const key = `command:${command.team_id}:${command.user_id}:${command.trigger_id}`;
    const responseUrl = command.response_url;
    await takeIn(context, { key, kind: parsed.name, person, payload, responseUrl, trace: newTrace() }, () => ack());
  });
}

function knownTo(context: SlackContext): Known {
  const { jobs, runbooks, targets } = context.remedy;
  return { jobs: [...jobs.keys()], runbooks: [...runbooks.keys()], targets: [...targets.keys()] };
}

/** Null for a command that changes nothing. */
function payloadOf(command: Command): Record<string, string> | null {
  if (command.name === 'run')
    return { runbook: command.runbook, target: command.target, params: JSON.stringify(command.params) };
  if (command.name === 'stop') return { runId: String(command.runId), reason: command.reason ?? '' };
  if (command.name === 'resolve')
    return { runId: String(command.runId), verdict: command.verdict, reason: command.reason };
  if (command.name === 'pause') return { reason: command.reason ?? '', stop: command.isStopping ? 'yes' : 'no' };
  if (command.name === 'report') return { target: command.target };
  return command.name === 'resume' ? {} : null;
}

async function answerRead(context: SlackContext, command: Command, responseUrl: string): Promise<void> {
  try {
    await answer(responseUrl, await read(context, command));
  } catch (error) {
    context.remedy.log.error({ command: command.name, ...errorFields(error) }, 'command failed');
    await answer(responseUrl, [`That did not work: ${explain(error)}`]);
  }
}

async function read(context: SlackContext, command: Command): Promise<Text> {
  switch (command.name) {
    case 'help':
      return help(command.topic, knownTo(context));
    case 'check':
      return checkAndTell(context, command.jobs, command.targets);
    case 'locks':
      return readLocks(context, command.target);
    case 'plan':
      return readPlan(context, command);
    case 'runs':
      return readRuns(context);
    default:
      return readStatus(context);
  }
}
