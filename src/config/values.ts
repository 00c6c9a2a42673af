import { validateDetailed } from 'node-cron';
import { z } from 'zod';
import { parseWallTime, parseWindow, type WallTime, type Window } from './hours.ts';
import { suggest } from './nearest.ts';
import { postgresUrlFault, urlFault, type ValueFault } from './url.ts';

/** What messages and the reference need to know of a value besides its description. */
export interface ValueMeta {
  /** What it is called, with its article: "expected a duration, found a list". */
  type?: string;
  /** Never shown, even where it stands in the file. */
  isSecret?: boolean;
  /** The default as the reference shows it, where it isn't one value. */
  default?: string;
  /** What the keys of a mapping stand for. */
  key?: string;
}

export const Text = text('text', (value) => (value.trim() === '' ? emptyText : null));
export const Folder = text('a folder', (value) => (value.trim() === '' ? emptyText : null));
export const PostgresUrl = text('a postgres:// URL', postgresUrlFault).meta({ isSecret: true });
export const RedisUrl = text('a redis:// URL', (url) => urlFault(url, ['redis', 'rediss'])).meta({ isSecret: true });
export const HttpUrl = text('an http:// URL', (url) => urlFault(url, ['https', 'http'])).meta({ isSecret: true });
export const Secret = text('text', (value) => (/^\S+$/.test(value) ? null : badSecret)).meta({ isSecret: true });

export const TargetName = matching('a target name', /^[a-z0-9-]{1,40}$/, {
  message: 'is not a target name',
  hint: 'up to 40 small letters, digits and dashes',
});
export const NodeName = matching('a node name', /^[\w.:/-]{1,80}$/, {
  message: 'is not a node name',
  hint: 'up to 80 letters, digits and . : / - _',
});
export const EnvironmentName = matching('a word', /^[a-z0-9][a-z0-9-]{0,39}$/, {
  message: 'is not the name of an environment',
  hint: 'up to 40 small letters, digits and dashes, such as production',
});
export const GroupName = matching('a group name', /^[A-Za-z0-9_-]{1,40}$/, {
  message: 'is not the name of a group',
  hint: 'up to 40 letters, digits, - and _',
});
export const ChannelId = matching('a Slack channel id', /^[CG][A-Z0-9]{2,}$/, {
  message: 'is not the id of a Slack channel',
  hint: "an id looks like C024BE91L and stands at the end of the channel's details in Slack",
});
export const UserId = matching('a Slack user id', /^[UW][A-Z0-9]{2,}$/, {
  message: 'is not the id of a Slack user',
  hint: 'an id looks like U024BE7LH: profile, ⋮, "Copy member ID"; user groups are not read',
});
export const Schedule = text('six cron fields', scheduleFault);
export const Timezone = text('an IANA time zone', timezoneFault);
export const ProtectedPattern = matching('a pattern', /^(?!app:\s*$)\S(?:.*\S)?$/, {
  message: 'protects nobody',
  hint: 'write a user, or `app:<application_name>`; * stands for anything',
});

export const DatabasePattern = matching('a pattern', /^!?[^\s!]\S*$/, {
  message: 'fits no database',
  hint: 'a name in which * stands for anything; ! in front leaves out what it fits',
});
export const RelationPattern = matching('a pattern', /^[^.]+\.[^.]+$/, {
  message: 'names no relation',
  hint: 'write schema.name of a table or an index; * stands for anything',
});
/** The first moment of the day after it, in UTC. */
export const LastDay = text('a day such as 2027-01-31', (value) =>
  dayAfter(value) === null ? { message: 'is not a day', hint: 'write it as 2027-01-31' } : null,
).transform((day) => dayAfter(day) ?? new Date(0));

export const WindowText = text('a window', (value) => (parseWindow(value) === null ? badWindow : null)).transform(
  (value) => parseWindow(value) as Window,
);
const WallTimeText = text('a day or a time', (value) =>
  parseWallTime(value) === null ? { message: 'is not a time', hint: 'write 2026-12-20 or "2026-12-20 18:00"' } : null,
).transform((value) => parseWallTime(value) as WallTime);

export const Freeze = z.strictObject({
  from: WallTimeText.describe("its first day, or moment, in the target's time zone"),
  until: WallTimeText.describe('its last day, or the moment at which it ends'),
  reason: Text.describe('why nothing is begun then; chat shows it'),
});

/** In seconds. */
export const Duration = text('a duration such as 15m', (value) =>
  /^\d{1,9}[smhd]$/.test(value.trim()) ? null : badDuration,
).transform(secondsOf);
export const Threshold = z
  .union([z.preprocess(numberOf, z.number().min(0)), Duration])
  .meta({ type: 'a number of 0 or more' });
export const Flag = z.preprocess(flagOf, z.boolean()).meta({ type: 'true or false' });
export const Port = z.preprocess(numberOf, z.int().min(0).max(65535)).meta({ type: 'a port' });
export const People = z.preprocess(numberOf, z.int().min(1).max(10)).meta({ type: 'a whole number from 1' });

function text(type: string, faultOf: (value: string) => ValueFault | null) {
  return z
    .string()
    .check(({ value, issues }) => {
      const fault = faultOf(value);
      if (fault) issues.push({ code: 'custom', input: value, message: fault.message, params: { hint: fault.hint } });
    })
    .meta({ type });
}

function matching(type: string, pattern: RegExp, fault: ValueFault) {
  return text(type, (value) => (pattern.test(value) ? null : fault));
}

const emptyText: ValueFault = { message: 'is empty', hint: 'remove the key for its default' };
const badSecret: ValueFault = { message: 'is empty or has a space in it', hint: 'copy it again from Slack' };
const badWindow: ValueFault = {
  message: 'is not a window',
  hint: 'days, then from-until: "Sun 02:00-05:00" or "Mon-Fri 22:00-04:00"; without days it is every day',
};
const badDuration: ValueFault = { message: 'is not a duration', hint: 'write it as 90s, 15m, 12h or 7d' };

function scheduleFault(schedule: string): ValueFault | null {
  const hint = 'six cron fields: second minute hour day month weekday, such as "0 */10 * * * *"';
  const count = schedule.trim().split(/\s+/).length;
  if (count === 5) return { message: 'has five fields, and six are needed', hint: 'put the second in front: "0 …"' };
  if (count !== 6) return { message: 'is not a schedule', hint };
  const { errors } = validateDetailed(schedule);
  if (errors.length === 0) return null;
  const fields = [...new Set(errors.map(({ field }) => field))].join(', ');
  return { message: `is not a schedule: wrong ${fields}`, hint };
}

function timezoneFault(timezone: string): ValueFault | null {
  const hint = 'write it as Europe/Berlin or UTC';
  const fault = { message: 'is not a time zone', hint };
  // Newer versions of Node take +01:00 too; one configuration must mean the same everywhere.
  if (!/^[A-Za-z]/.test(timezone)) return fault;
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
    return null;
  } catch {
    // A RangeError is Intl's way to say no.
    return { ...fault, hint: suggest(timezone, Intl.supportedValuesOf('timeZone')) ?? hint };
  }
}

function dayAfter(day: string): Date | null {
  const start = Date.parse(`${day}T00:00:00Z`);
  const isDay = /^\d{4}-\d\d-\d\d$/.test(day) && new Date(start || 0).toISOString().startsWith(day);
  return isDay ? new Date(start + 86_400_000) : null;
}

function secondsOf(duration: string): number {
  const unitSeconds = { s: 1, m: 60, h: 3600, d: 86_400 }[duration.trim().slice(-1)] ?? 1;
  return Number.parseInt(duration, 10) * unitSeconds;
}

/** What comes from the environment is text, whatever it says. */
function numberOf(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,15}(\.\d{1,15})?$/.test(value) ? Number(value) : value;
}

function flagOf(value: unknown): unknown {
  if (value === 'true') return true;
  return value === 'false' ? false : value;
}
