import type { Text } from '../model.ts';
import type { Queryable } from './database.ts';

export interface CardRef {
  id: number;
  channel: string;
}

export interface LaggingCard extends CardRef {
  alertId: number | null;
  runId: number | null;
  reportId: number | null;
  wantedVersion: number;
  shownVersion: number;
  ts: string | null;
  /** Set before a post is sent: a post whose answer was lost is looked for before it is posted again. */
  sendingSince: Date | null;
}

export interface ThreadLine {
  id: number;
  text: Text;
  sendingSince: Date | null;
}

/** The card of an alert, made at the first call. */
export async function ensureAlertCard(db: Queryable, alertId: number, channel: string): Promise<CardRef> {
  return ensureCard(db, 'alert_id', alertId, channel);
}

export async function hasCard(db: Queryable, alertId: number): Promise<boolean> {
  const { rows } = await db.query('select from cards where alert_id = $1', [alertId]);
  return rows.length > 0;
}

/** The card of a run that was asked for by hand. */
export async function ensureRunCard(db: Queryable, runId: number, channel: string): Promise<CardRef> {
  return ensureCard(db, 'run_id', runId, channel);
}

export async function ensureReportCard(db: Queryable, reportId: number, channel: string): Promise<CardRef> {
  return ensureCard(db, 'report_id', reportId, channel);
}

/** Raises the wanted version of the card that shows this alert; null if it was never to be shown. */
export async function wantAlertCard(db: Queryable, alertId: number): Promise<CardRef | null> {
  return wantCard(db, 'alert_id', alertId);
}

/** The card that shows a run: its own, else its alert's. */
export async function wantRunCard(db: Queryable, run: { id: number; alertId: number | null }): Promise<CardRef | null> {
  const own = await wantCard(db, 'run_id', run.id);
  return own ?? (run.alertId === null ? null : wantCard(db, 'alert_id', run.alertId));
}

/** Cards of what waits for people or its time are drawn again: all of them show that actions are paused. Their channels. */
export async function wantProposalCards(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ channel: string }>(
    `update cards set wanted_version = wanted_version + 1
     where alert_id in (select alert_id from runs where state in ('proposed', 'scheduled'))
        or run_id in (select id from runs where state in ('proposed', 'scheduled')) returning channel`,
  );
  return [...new Set(rows.map((row) => row.channel))];
}

export async function addThreadLine(db: Queryable, card: CardRef, text: Text): Promise<void> {
  await db.query('insert into thread_lines (card_id, text) values ($1, $2)', [card.id, JSON.stringify(text)]);
}

/** Cards of a channel that lag or have lines to send, oldest first. */
export async function readLaggingCards(db: Queryable, channel: string): Promise<LaggingCard[]> {
  const { rows } = await db.query(
    `select * from cards c where c.channel = $1 and (c.shown_version < c.wanted_version
       or exists (select 1 from thread_lines l where l.card_id = c.id and l.ts is null)) order by c.id limit 50`,
    [channel],
  );
  return rows.map((row) => ({
    id: Number(row.id),
    channel: row.channel,
    alertId: row.alert_id === null ? null : Number(row.alert_id),
    runId: row.run_id === null ? null : Number(row.run_id),
    reportId: row.report_id === null ? null : Number(row.report_id),
    wantedVersion: row.wanted_version,
    shownVersion: row.shown_version,
    ts: row.ts,
    sendingSince: row.sending_since,
  }));
}

export async function markCardSending(db: Queryable, id: number): Promise<void> {
  await db.query('update cards set sending_since = coalesce(sending_since, clock_timestamp()) where id = $1', [id]);
}

export async function markCardShown(db: Queryable, id: number, version: number, ts: string): Promise<void> {
  await db.query('update cards set shown_version = $2, ts = $3, sending_since = null where id = $1', [id, version, ts]);
}

/** The message was deleted in Slack: the next drain posts a new one. */
export async function forgetCardMessage(db: Queryable, id: number): Promise<void> {
  await db.query('update cards set ts = null, shown_version = 0, sending_since = null where id = $1', [id]);
}

export async function readUnsentLines(db: Queryable, cardId: number): Promise<ThreadLine[]> {
  const { rows } = await db.query(
    'select id, text, sending_since from thread_lines where card_id = $1 and ts is null order by id limit 50',
    [cardId],
  );
  return rows.map((row) => ({ id: Number(row.id), text: JSON.parse(row.text), sendingSince: row.sending_since }));
}

export async function markLineSending(db: Queryable, id: number): Promise<void> {
  await db.query('update thread_lines set sending_since = coalesce(sending_since, clock_timestamp()) where id = $1', [
    id,
  ]);
}

/** All lines of one message at once, up to its last: half of them marked would send the other half twice. */
export async function markLinesSent(db: Queryable, sent: { cardId: number; last: number; ts: string }): Promise<void> {
  await db.query('update thread_lines set ts = $3 where card_id = $1 and id <= $2 and ts is null', [
    sent.cardId,
    sent.last,
    sent.ts,
  ]);
}

export async function readCardsLagging(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    'select count(*)::int as count from cards where shown_version < wanted_version',
  );
  return rows[0]?.count ?? 0;
}

async function ensureCard(
  db: Queryable,
  column: 'alert_id' | 'run_id' | 'report_id',
  id: number,
  channel: string,
): Promise<CardRef> {
  const { rows } = await db.query<{ id: string; channel: string }>(
    `insert into cards (channel, ${column}) values ($1, $2)
     on conflict (${column}) do update set wanted_version = cards.wanted_version + 1 returning id, channel`,
    [channel, id],
  );
  const row = rows[0];
  if (!row) throw new Error('a card was neither made nor found');
  return { id: Number(row.id), channel: row.channel };
}

async function wantCard(db: Queryable, column: 'alert_id' | 'run_id', id: number): Promise<CardRef | null> {
  const { rows } = await db.query<{ id: string; channel: string }>(
    `update cards set wanted_version = wanted_version + 1 where ${column} = $1 returning id, channel`,
    [id],
  );
  return rows[0] ? { id: Number(rows[0].id), channel: rows[0].channel } : null;
}
