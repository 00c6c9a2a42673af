import type { KnownBlock } from '@slack/types';
import { mrkdwn } from '../text.ts';

interface ButtonOptions {
  value: string;
  style?: 'primary' | 'danger';
  /** Asked before the press counts. */
  confirm?: { title: string; text: string; yes: string };
}

export function button(id: string, label: string, { value, style, confirm }: ButtonOptions) {
  return {
    type: 'button' as const,
    action_id: id,
    text: plainText(label),
    value,
    ...(style ? { style } : {}),
    ...(confirm
      ? {
          confirm: {
            title: plainText(confirm.title),
            text: plainText(confirm.text),
            confirm: plainText(confirm.yes),
            deny: plainText('Back'),
          },
        }
      : {}),
  };
}

export function section(text: string): KnownBlock {
  return { type: 'section', text: mrkdwn(text) };
}

export function context(text: string): KnownBlock {
  return { type: 'context', elements: [mrkdwn(text)] };
}

function plainText(text: string) {
  return { type: 'plain_text' as const, text };
}
