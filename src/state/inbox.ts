import type { Person, Text } from '../model.ts';
import type { Queryable } from './database.ts';

/** What a person asked for, as it was stored before it was acknowledged. */
export interface InboxItem {
  id: number;
  kind: string;
  person: Person;
  payload: Record<string, string>;
  responseUrl: string | null;
  trace: string;
  answer: Text | null;
}

export interface NewInboxItem {
  /** Unique per press: the same press seen twice is one item. */
  key: string;
  kind: string;
  person: Person;
  payload: Record<string, string>;
  responseUrl: string | null;
  trace: string;
}

/** One autocommit insert; the id, or null where the same press is stored already. */
export async function storeInboxItem(db: Queryable, item: NewInboxItem): Promise<number | null> {
  const { rows } = await db.query<{ id: string }>(
    `insert into inbox (key, kind, user_id, team_id, payload, response_url, trace)
     values ($1, $2, $3, $4, $5, $6, $7) on conflict (key) do nothing returning id`,
    [
      item.key,
      item.kind,
      item.person.userId,
      item.person.teamId,
      JSON.stringify(item.payload),
      item.responseUrl,
      item.trace,
    ],
  );
  return rows[0] ? Number(rows[0].id) : null;
}

/** Makes an item that its writer was told is not recorded count for nothing, also if it lands later. */
export async function voidInboxItem(db: Queryable, item: NewInboxItem): Promise<void> {
  await db.query(
    `insert into inbox (key, kind, user_id, team_id, payload, trace, voided_at, handled_at)
     values ($1, $2, $3, $4, '{}', $5, clock_timestamp(), clock_timestamp())
     on conflict (key) do update set voided_at = clock_timestamp(), handled_at = clock_timestamp()
       where inbox.handled_at is null`,
    [item.key, item.kind, item.person.userId, item.person.teamId, item.trace],
  );
}

/** Locks an item that waits to be handled; null if it is handled, voided, or another worker is at it. */
export async function lockInboxItem(db: Queryable, id: number): Promise<InboxItem | null> {
  const { rows } = await db.query(
    `select ${columns} from inbox where id = $1 and handled_at is null for update skip locked`,
    [id],
  );
  return rows[0] ? toItem(rows[0]) : null;
}

export async function finishInboxItem(db: Queryable, id: number, answer: Text): Promise<void> {
  await db.query('update inbox set handled_at = clock_timestamp(), answer = $2 where id = $1', [
    id,
    JSON.stringify(answer),
  ]);
}

export async function markAnswered(db: Queryable, id: number): Promise<void> {
  await db.query('update inbox set answered_at = clock_timestamp() where id = $1', [id]);
}

/**
 * Items that a stopped worker left unhandled. The grace is longer than a late insert needs to be voided, so that
 * nothing its writer was told is not recorded is ever handled.
 */
export async function findUnhandled(db: Queryable, graceSeconds: number): Promise<number[]> {
  const { rows } = await db.query<{ id: string }>(
    `select id from inbox where handled_at is null and received_at < clock_timestamp() - make_interval(secs => $1)
     order by id limit 100`,
    [graceSeconds],
  );
  return rows.map((row) => Number(row.id));
}

/** Answers that did not reach Slack, while their response_url still lives (30 minutes). */
export async function findUnanswered(db: Queryable): Promise<InboxItem[]> {
  const { rows } = await db.query(
    `select ${columns} from inbox where answer is not null and answered_at is null and voided_at is null
       and handled_at < clock_timestamp() - interval '15 s' and received_at > clock_timestamp() - interval '29 min'
     order by id limit 100`,
  );
  return rows.map(toItem);
}

/** Age in seconds of the oldest item that waits to be handled; 0 if none does. */
export async function readInboxAge(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ seconds: number }>(
    `select coalesce(extract(epoch from max(clock_timestamp() - received_at)), 0)::float8 as seconds
     from inbox where handled_at is null`,
  );
  return rows[0]?.seconds ?? 0;
}

const columns = 'id, kind, user_id, team_id, payload, response_url, trace, answer';

function toItem(row: Record<string, string | null>): InboxItem {
  return {
    id: Number(row['id']),
    kind: row['kind'] ?? '',
    person: { userId: row['user_id'] ?? '', teamId: row['team_id'] ?? '' },
    payload: JSON.parse(row['payload'] ?? '{}'),
    responseUrl: row['response_url'] ?? null,
    trace: row['trace'] ?? '',
    answer: row['answer'] ? JSON.parse(row['answer']) : null,
  };
}
