import type { SlackMessage } from '../../../src/demo/slack-control.ts';
import type { Arguments, Context } from './context.ts';
import { pageHistory, pageReplies } from './history.ts';

type Reply = Record<string, unknown>;
type Amend = (reply: Reply, args: Arguments, context: Context) => Reply | Promise<Reply>;

/** Methods that local-slack lacks. */
export const added: Record<string, (args: Arguments, context: Context) => Reply> = {
  'usergroups.users.list': (args, { groups }) => {
    const users = groups[String(args['usergroup'])];
    return users ? { ok: true, users } : { ok: false, error: 'no_such_subteam' };
  },
  'usergroups.list': (_args, { groups }) => ({
    ok: true,
    usergroups: Object.entries(groups).map(([id, users]) => ({ id, handle: id.toLowerCase(), users, date_delete: 0 })),
  }),
};

const opened: Amend = (reply, args, { tickets, views }) => {
  tickets.exchangeTrigger(args['trigger_id']);
  views.opened(reply['view'] as { id: string; hash: string });
  return reply;
};

const stored: Amend = (reply, args, { metadata }) => {
  if (args['metadata']) metadata.set(`${reply['channel']} ${reply['ts']}`, args['metadata']);
  return reply;
};

/** What local-slack's replies lack, corrected. */
export const amended: Record<string, Amend> = {
  'apps.connections.open': (reply, _args, { ownUrl }) => {
    const { pathname } = new URL(String(reply['url']));
    return { ...reply, url: `${ownUrl.replace('http', 'ws')}${pathname}` };
  },
  'chat.postMessage': stored,
  'chat.update': stored,
  'chat.postEphemeral': (reply, args, { records }) => {
    records.answer('chat.postEphemeral', { user: String(args['user']), channel: String(args['channel']) }, args);
    return reply;
  },
  'conversations.info': async (reply, args, { control, app }) => {
    const { channels } = await control.state();
    const members = channels.find(({ id }) => id === args['channel'])?.members ?? [];
    return { ...reply, channel: { ...(reply['channel'] as Reply), is_member: members.includes(app.botUserId) } };
  },
  'conversations.history': (reply, args, context) =>
    withMetadata({ ...reply, ...pageHistory(list(reply), args) }, args, context),
  'conversations.replies': (reply, args, context) =>
    withMetadata({ ...reply, ...pageReplies(list(reply), args) }, args, context),
  'views.open': opened,
  'views.push': opened,
  'views.update': (reply, args, { views }) => {
    const view = reply['view'] as { id: string; hash: string };
    if (args['view_id']) views.updated(String(args['view_id']), view);
    return { ...reply, view: views.show(view) };
  },
};

function list(reply: Reply): SlackMessage[] {
  return reply['messages'] as SlackMessage[];
}

function withMetadata(reply: Reply, args: Arguments, { metadata }: Context): Reply {
  if (String(args['include_all_metadata']) !== 'true') return reply;
  const complete = list(reply).map((each) => {
    const found = metadata.get(`${each.channel} ${each.ts}`);
    return found === undefined ? each : { ...each, metadata: found };
  });
  return { ...reply, messages: complete };
}
