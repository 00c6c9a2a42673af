import type { MrkdwnElement, SectionBlock } from '@slack/types';
import type { Text } from '../model.ts';

/** Slack's control characters as entities: nothing from a server can form a mention, a link or a command. */
function escapeControls(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Plain words of ours or of a server, cut to `max` characters after escaping, never within an entity. */
export function plain(text: string, max = 2_900): string {
  const escaped = escapeControls(text);
  if (escaped.length <= max) return escaped;
  // Neither half an entity nor half a character (a lone surrogate) may stay at the end.
  return `${escaped.slice(0, max - 1).replace(/(&[a-z]{0,3}|[\uD800-\uDBFF])$/, '')}…`;
}

/** A sentence that stays on its line, whatever it holds. */
export function oneLine(text: string, max: number): string {
  return plain(text.replace(/\s+/g, ' ').trim(), max);
}

/** Lines of mrkdwn, as many as fit into `max` characters; whole ones, so that no mention or entity is cut in two. */
export function fitLines(mrkdwn: string, max: number): string {
  if (mrkdwn.length <= max) return mrkdwn;
  const lines = mrkdwn.split('\n');
  const rest = (count: number) => `… ${lines.length - count} more lines`;
  const kept: string[] = [];
  let length = rest(0).length;
  for (const line of lines) {
    length += line.length + 1;
    if (length > max) break;
    kept.push(line);
  }
  return [...kept, rest(kept.length)].join('\n');
}

/** Verbatim: Slack makes no link of an address or a channel's name that a server's text holds. */
export function mrkdwn(text: string): MrkdwnElement {
  return { type: 'mrkdwn', text, verbatim: true };
}

/** What is said to people as mrkdwn. */
export function toMrkdwn(text: Text): string {
  return text
    .map((span) => {
      if (typeof span === 'string') return plain(span);
      if ('user' in span) return /^[UW][A-Z0-9]+$/.test(span.user) ? `<@${span.user}>` : plain(span.user);
      if ('channel' in span) return /^[CGD][A-Z0-9]+$/.test(span.channel) ? `<#${span.channel}>` : plain(span.channel);
      if ('lines' in span) return fenced(span.lines, maxLines);
      return `\`${plain(span.code.replaceAll('`', "'"))}\``;
    })
    .join('');
}

/** Monospaced text: SQL, a lock tree. A fence does not disable mentions, so it is escaped like all else. */
export function preformatted(text: string): SectionBlock {
  return { type: 'section', text: mrkdwn(fenced(text, 2_900)) };
}

/** Three of them fit into one answer with what is said between them. */
const maxLines = 900;

function fenced(text: string, max: number): string {
  return `\`\`\`\n${plain(text.replaceAll('```', "'''"), max)}\n\`\`\``;
}

/** 02:49:31 in the target's time zone; with the date when it is another day. */
export function clock(at: Date, timezone: string, now = new Date()): string {
  const time = new Intl.DateTimeFormat('en-GB', { timeZone: timezone, timeStyle: 'medium' }).format(at);
  const day = new Intl.DateTimeFormat('en-CA', { timeZone: timezone, dateStyle: 'short' });
  return day.format(at) === day.format(now) ? time : `${day.format(at)} ${time}`;
}
