import type { SectionBlock } from '@slack/types';
import type { Text } from '../model.ts';

/** Slack's control characters as entities: nothing from a server can form a mention, a link or a command. */
function escapeControls(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Plain words of ours or of a server, cut to `max` characters after escaping, never within an entity. */
export function plain(text: string, max = 2_900): string {
  const escaped = escapeControls(text);
  if (escaped.length <= max) return escaped;
  return `${escaped.slice(0, max - 1).replace(/&[a-z]{0,3}$/, '')}…`;
}

/** What is said to people as mrkdwn. */
export function toMrkdwn(text: Text): string {
  return text
    .map((span) => {
      if (typeof span === 'string') return plain(span);
      if ('user' in span) return /^[UW][A-Z0-9]+$/.test(span.user) ? `<@${span.user}>` : plain(span.user);
      return `\`${plain(span.code.replaceAll('`', "'"))}\``;
    })
    .join('');
}

/** Monospaced text: SQL, a lock tree. A fence does not disable mentions, so it is escaped like all else. */
export function preformatted(text: string): SectionBlock {
  const fenced = plain(text.replaceAll('```', "'''"), 2_900);
  return { type: 'section', text: { type: 'mrkdwn', text: `\`\`\`\n${fenced}\n\`\`\`` } };
}

/** 02:49:31 in the target's time zone; with the date when it is another day. */
export function clock(at: Date, timezone: string, now = new Date()): string {
  const time = new Intl.DateTimeFormat('en-GB', { timeZone: timezone, timeStyle: 'medium' }).format(at);
  const day = new Intl.DateTimeFormat('en-CA', { timeZone: timezone, dateStyle: 'short' });
  return day.format(at) === day.format(now) ? time : `${day.format(at)} ${time}`;
}
