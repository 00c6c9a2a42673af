import { jobs } from '../../jobs/index.ts';
import { readConfig } from '../config/load.ts';
import { PgorderlyError } from '../errors.ts';
import { createLog } from '../log.ts';
import { openTarget } from '../open-target.ts';
import { planByHand } from '../remedy/by-hand.ts';
import type { RemedyContext } from '../remedy/context.ts';
import { type Preview, previewPlan } from '../remedy/preview.ts';
import { previewLines } from '../remedy/preview-lines.ts';
import { loadLibrary } from '../remedy/runbook/library.ts';
import { StateDatabase } from '../state/database.ts';

export interface PlanOptions {
  config: string;
  target: string;
  param: string[];
  json?: boolean;
}

/**
 * `pgorderly plan <runbook>`: what it would do here, and each guard's verdict; runs nothing. Exits with 1 where a guard
 * refuses. Throws runbook-unknown, usage, param-invalid, config-invalid, or what the server's loss throws.
 */
export async function plan(runbook: string, options: PlanOptions): Promise<0 | 1> {
  const config = readConfig(options.config, { env: process.env, jobs });
  const log = createLog('silent');
  const state = new StateDatabase(config.state.url, log);
  const targets = new Map(config.targets.map((target) => [target.name, openTarget(config, target, log)]));
  const context: RemedyContext = {
    pool: state.pool,
    runbooks: await loadLibrary(config.runbooks),
    jobs: new Map(),
    targets,
    recheck: () => Promise.reject(new Error('a plan by hand is of no alert')),
    nudges: { check: nobody, run: nobody, channel: nobody },
    log,
    owner: 'plan',
    leaseSeconds: 15,
    stopping: new AbortController().signal,
  };
  try {
    const asked = { runbook, target: options.target, params: readParams(options.param) };
    const planned = await planByHand(context, asked);
    const preview = await previewPlan(context, { plan: planned.plan, does: planned.does, alertId: null });
    console.log(options.json ? JSON.stringify({ ...preview, hash: planned.hash }, null, 2) : draw(preview));
    return preview.verdicts.every(({ ok }) => ok) ? 0 : 1;
  } finally {
    const nodes = [...targets.values()].flatMap((target) => target.nodes);
    await Promise.all(nodes.flatMap(({ reader, lane }) => [reader.close(), lane?.close()]));
    await state.close();
  }
}

async function nobody(): Promise<void> {
  // Nothing is changed, so nobody has to be woken.
}

function readParams(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, value] = /^([a-z][a-z0-9_]*)=(.*)$/s.exec(pair) ?? [];
      if (name === undefined || value === undefined)
        throw new PgorderlyError('usage', `--param ${pair} is not name=value`, {
          hint: 'Such as --param index=shop.orders_created_at_idx.',
        });
      return [name, value];
    }),
  );
}

const indent = 17;

function draw(preview: Preview): string {
  const head = `${preview.plan.runbook} on ${preview.plan.target}`;
  const lines = previewLines(preview).map(
    ({ label, text }) => `${label.padEnd(indent)}${text.replaceAll('\n', `\n${' '.repeat(indent)}`)}`,
  );
  const refused = preview.verdicts.filter(({ ok }) => !ok).length;
  const verdict =
    refused === 0
      ? 'Nothing was run. It may be run now, once it is approved.'
      : `Nothing was run. It would be refused now: ${refused} of ${preview.verdicts.length} guards say no.`;
  return [head, ...lines, '', verdict].join('\n');
}
