import { type Ask, defineJob, type JudgeContext, type Row } from '../src/detect/job.ts';
import type { Unjudged } from '../src/model.ts';
import {
  type ErrorCounts,
  rememberSubscriptions,
  type Subscription,
  type SubscriptionMemory,
} from './logical-replication.memory.ts';
import { judgePublished, type Published } from './logical-replication.published.ts';
import { judgeSubscription } from './logical-replication.subscriptions.ts';

export interface Replication {
  subscriptions: Subscription[];
  published: Published;
}

const thresholds = {
  notReadySeconds: {
    default: 3_600,
    unit: 'seconds',
    about: 'A table of a subscription that is not ready for so long is a warning: since it was first seen so.',
  },
  errorSeconds: {
    default: 900,
    unit: 'seconds',
    about: 'Errors that were added at two looks within so long are a warning; one alone is tried again.',
  },
} as const;

type Context = JudgeContext<typeof thresholds, SubscriptionMemory>;

/** A slot that is lost, or soon will be, is told by replication-slots on the publisher, and only there. */
export const logicalReplication = defineJob({
  name: 'logical-replication',
  title: 'Subscriptions that are not applied, and published tables whose updates fail',
  delivery: 'page',
  scope: 'database',
  schedule: '25 * * * * *',
  fire: { afterSeconds: 300 },
  clear: { factor: 0.5, samples: 3 },
  thresholds,
  measures: {},
  gather: async (ask): Promise<Replication> => ({
    subscriptions: await readSubscriptions(ask),
    published: await readPublished(ask),
  }),
  remember: ({ subscriptions }: Replication, before: SubscriptionMemory | null, now) =>
    rememberSubscriptions(subscriptions, before, now),
  judge({ subscriptions, published }: Replication, { node, thresholds: limits, memory }: Context) {
    // Workers are the primary's: a standby has the catalogs alone.
    const judged = node.isStandby ? [] : subscriptions.filter(({ isIdentified }) => isIdentified);
    return {
      findings: [
        ...judged.flatMap((one) => judgeSubscription(one, { limits, memory }) ?? []),
        ...judgePublished(published),
      ],
      unjudged: [
        ...unjudgedSubscriptions(subscriptions, node.isStandby),
        ...(node.isStandby ? [] : judged.flatMap((one) => unjudgedTables(one, { limits, memory }) ?? [])),
      ],
    };
  },
});

async function readSubscriptions(ask: Ask): Promise<Subscription[]> {
  const rows = await ask();
  const counted = rows[0]?.['countsErrors'] ? await ask('errors') : [];
  const errorsOf = ({ name }: Row) => counted.find((one) => one['name'] === name) as unknown as ErrorCounts | undefined;
  return rows.map((row) => ({ ...row, errors: errorsOf(row) ?? null }) as unknown as Subscription);
}

async function readPublished(ask: Ask): Promise<Published> {
  const [publications = {}] = await ask('publications');
  const database = publications['database'] as string;
  if (publications['count'] === 0) return { database, tables: [] };
  const isChoosy = publications['mayChoose'] === true;
  const schemas = isChoosy ? await ask('schemas') : [];
  const params = [schemas.map(({ publication }) => publication), schemas.map(({ schema }) => schema)];
  const tables = [...(await ask('tables', params)), ...(isChoosy ? await ask('columns') : [])];
  return { database, tables: tables as unknown as Published['tables'] };
}

function unjudgedSubscriptions(subscriptions: readonly Subscription[], isStandby: boolean): Unjudged[] {
  if (isStandby && subscriptions.length > 0)
    return [
      {
        reason: `${subscriptions.length} subscriptions: a standby does not show whether their workers run`,
        remedy: "Add the primary to the target's nodes.",
      },
    ];
  const unknown = subscriptions.filter(({ isIdentified }) => !isIdentified).map(({ name }) => name);
  if (unknown.length === 0) return [];
  return [
    {
      reason: `subscription ${unknown.join(', ')}: another database has one of the same name, and this one has neither tables nor a worker`,
      remedy: 'Give them different names: alter subscription … rename to …;',
    },
  ];
}

/** At the first look nobody knows since when. */
function unjudgedTables(
  subscription: Subscription,
  { limits, memory }: { limits: Context['thresholds']; memory: SubscriptionMemory | undefined },
): Unjudged | null {
  const { name, isEnabled, notReadyCount } = subscription;
  const isDated = memory?.isFirstLook === false || limits.notReadySeconds === 0;
  if (!isEnabled || notReadyCount === 0 || isDated) return null;
  return {
    reason: `${notReadyCount} tables of subscription ${name} are not ready, and for how long is not known at a first look`,
    remedy: 'It is judged at the checks to come.',
  };
}
