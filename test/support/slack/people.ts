import { setTimeout as delay } from 'node:timers/promises';
import type {
  BlockAction,
  SlackControl,
  SlackMessage,
  ViewOutcome,
  ViewValues,
} from '../../../src/demo/slack-control.ts';

const patienceMs = 30_000;

export interface Click {
  user: string;
  channel: string;
  ts: string;
  actionId: string;
  /** Of the button, or of the option that is chosen; needed where the action id stands twice. */
  value?: string;
}

interface Element {
  type: string;
  action_id?: string;
  value?: string;
  text?: unknown;
  options?: { value: string }[];
}

interface Placed {
  element: Element;
  blockId: string;
}

/** What people do and see. Doing answers once the app has acknowledged it, or after 5 s without. */
export function createPeople(control: SlackControl) {
  const thread = async (channel: string, ts: string) =>
    (await control.messages(channel)).filter((each) => each.thread_ts === ts);
  return {
    messages: (channel: string): Promise<SlackMessage[]> => control.messages(channel),
    /** The replies, without the message they belong to. */
    thread,
    /** Presses a button or picks from a menu; throws if the message has no such thing, or hides it from this person. */
    async click(click: Click): Promise<void> {
      const { user, channel, ts } = click;
      await control.interact({ user, channel, messageTs: ts, action: await findAction(control, click) });
    },
    async command({ command = '/pg', ...rest }: { user: string; channel: string; text: string; command?: string }) {
      await control.command({ ...rest, command });
    },
    /** The modal that is open. */
    modal: () => control.modal(),
    submitView: (user: string, values: ViewValues = {}): Promise<ViewOutcome> => control.submitView(user, values),
    closeView: (user: string) => control.closeView(user),
    waitForMessage: (channel: string, wanted: (message: SlackMessage) => boolean): Promise<SlackMessage> =>
      waitFor(`a message in ${channel}`, async () => (await control.messages(channel)).find(wanted)),
  };
}

/** Asks again every 20 ms until there is an answer; throws after 30 s. */
export async function waitFor<Found>(
  what: string,
  look: () => Promise<Found | undefined> | Found | undefined,
): Promise<Found> {
  for (const start = Date.now(); Date.now() - start < patienceMs; await delay(20)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`waited ${patienceMs / 1_000} s for ${what}`);
}

/** All text of a message, block after block, as a person reads it. */
export function textOf(message: Pick<SlackMessage, 'text' | 'blocks'>): string {
  const texts = (value: unknown): string[] => {
    if (Array.isArray(value)) return value.flatMap(texts);
    if (value === null || typeof value !== 'object') return [];
    return Object.entries(value).flatMap(([key, inner]) =>
      key === 'text' && typeof inner === 'string' ? [inner] : key === 'confirm' ? [] : texts(inner),
    );
  };
  return message.blocks?.length ? texts(message.blocks).join('\n') : (message.text ?? '');
}

async function findAction(control: SlackControl, click: Click): Promise<BlockAction> {
  const message = (await control.messages(click.channel)).find((each) => each.ts === click.ts);
  if (!message) throw new Error(`there is no message ${click.ts} in ${click.channel}`);
  if (message.ephemeral_to && message.ephemeral_to !== click.user)
    throw new Error(`${click.user} can't see ${click.ts}`);
  const elements = placed(message);
  const named = elements.filter(({ element }) => element.action_id === click.actionId);
  const fitting = named.filter(({ element }) => click.value === undefined || offers(element, click.value));
  const [found] = fitting;
  if (!found || fitting.length > 1) {
    const there = elements.map(({ element }) => `${element.action_id}=${element.value ?? ''}`).join(', ');
    throw new Error(
      `${fitting.length} elements fit ${click.actionId}=${click.value ?? '*'}; the message has: ${there}`,
    );
  }
  const { element, blockId } = found;
  const option = element.options?.find((each) => each.value === click.value);
  return {
    type: element.type,
    action_id: click.actionId,
    block_id: blockId,
    text: element.text,
    ...(option ? { selected_option: option } : element.value !== undefined && { value: element.value }),
  };
}

function placed(message: SlackMessage): Placed[] {
  return (message.blocks ?? []).flatMap((block, i) => {
    const { elements = [], accessory } = block as { elements?: Element[]; accessory?: Element };
    const all = accessory ? [accessory] : block.type === 'actions' ? elements : [];
    return all.map((element) => ({ element, blockId: block.block_id ?? `b${i}` }));
  });
}

function offers(element: Element, value: string): boolean {
  return element.options ? element.options.some((each) => each.value === value) : element.value === value;
}
