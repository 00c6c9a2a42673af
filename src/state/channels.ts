import type { Queryable } from './database.ts';
import type { Claimant } from './leases.ts';

/** Claims a channel for one drainer; false while another is at it or Slack asked to wait. */
export async function claimChannel(db: Queryable, channel: string, by: Claimant): Promise<boolean> {
  await db.query('insert into channels (id) values ($1) on conflict do nothing', [channel]);
  const { rowCount } = await db.query(
    `update channels set lease_owner = $2, lease_until = clock_timestamp() + make_interval(secs => $3)
     where id = $1 and (lease_until is null or lease_until < clock_timestamp() or lease_owner = $2)
       and (not_before is null or not_before <= clock_timestamp())`,
    [channel, by.owner, by.leaseSeconds],
  );
  return rowCount === 1;
}

export async function releaseChannel(db: Queryable, channel: string, owner: string): Promise<void> {
  await db.query('update channels set lease_until = null where id = $1 and lease_owner = $2', [channel, owner]);
}

/** Slack answered 429: nobody calls before that time. */
export async function holdChannel(db: Queryable, channel: string, seconds: number): Promise<void> {
  await db.query('update channels set not_before = clock_timestamp() + make_interval(secs => $2) where id = $1', [
    channel,
    seconds,
  ]);
}

/** Channels with a card or a line that Slack does not show yet. */
export async function findLaggingChannels(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ channel: string }>(
    `select channel from cards where shown_version < wanted_version
     union select c.channel from thread_lines l join cards c on c.id = l.card_id where l.ts is null`,
  );
  return rows.map((row) => row.channel);
}
