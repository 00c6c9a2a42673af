import type { SlackMessage } from '../../../src/demo/slack-control.ts';
import type { Arguments, Context } from './context.ts';
import { checkMessage, checkView, type Refusal } from './limits.ts';

type Rule = (args: Arguments, context: Context) => Refusal | null | Promise<Refusal | null>;

const message: Rule = (args) => checkMessage(args);
const view: Rule = (args) => checkView(args['view']);

const trigger: Rule = (args, { tickets }) => refusal(tickets.refuseTrigger(args['trigger_id']));

const hash: Rule = (args, { views }) =>
  refusal(views.conflicts(args['view_id'], args['hash']) ? 'hash_conflict' : null);

const joined: Rule = async (args, context) => {
  const channel = await findChannel(args['channel'], context);
  if (channel === 'direct') return null;
  if (!channel) return refusal('channel_not_found');
  return refusal(channel.members.includes(context.app.botUserId) ? null : 'not_in_channel');
};

const reader: Rule = async (args, context) => {
  const channel = await findChannel(args['channel'], context);
  if (!channel || channel === 'direct') return null;
  return refusal(channel.members.includes(String(args['user'])) ? null : 'user_not_in_channel');
};

const ownMessage =
  (error: string): Rule =>
  async (args, context) => {
    const channel = await findChannel(args['channel'], context);
    if (!channel || channel === 'direct') return refusal('channel_not_found');
    const found = await findMessage(channel.id, args['ts'], context);
    if (!found || found.ephemeral_to) return refusal('message_not_found');
    return refusal(found.user === context.app.botUserId ? null : error);
  };

const thread: Rule = async (args, context) => {
  const found = await findMessage(String(args['channel']), args['ts'], context);
  return refusal(found ? null : 'thread_not_found');
};

/** What Slack checks of each method and local-slack does not, in the order of checking. */
export const rules: Record<string, Rule[]> = {
  'chat.postMessage': [joined, message],
  'chat.postEphemeral': [joined, reader, message],
  'chat.update': [ownMessage('cant_update_message'), message],
  'chat.delete': [ownMessage('cant_delete_message')],
  'conversations.history': [joined],
  'conversations.replies': [joined, thread],
  'views.open': [view, trigger],
  'views.push': [view, trigger],
  'views.update': [view, hash],
  'views.publish': [view],
};

function refusal(error: string | null): Refusal | null {
  return error === null ? null : { error, messages: [] };
}

/** `direct` stands for a person's id, which opens a conversation with them. */
async function findChannel(reference: unknown, { control }: Context) {
  const { channels, users } = await control.state();
  if (users.some((user) => user.id === reference)) return 'direct';
  const name = String(reference).replace(/^#/, '');
  return channels.find((channel) => channel.id === reference || channel.name === name);
}

async function findMessage(channel: string, ts: unknown, { control }: Context): Promise<SlackMessage | undefined> {
  return (await control.messages(channel)).find((each) => each.ts === ts);
}
