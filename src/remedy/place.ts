import type { RemedyContext, RemedyNode, RemedyTarget } from './context.ts';
import { whyObserveOnly } from './observe-only.ts';
import type { Plan } from './plan.ts';

/** The node and the login a plan acts with, or why it has none. */
export function findPlace(
  context: RemedyContext,
  plan: Plan,
): { target: RemedyTarget; node: RemedyNode; url: string } | string {
  const target = context.targets.get(plan.target);
  const node = target?.nodes.find((one) => one.name === plan.node);
  if (!target || !node) return `${plan.target} (node ${plan.node}) is not in the configuration any more`;
  const url = node.actionUrls[plan.class];
  if (url) return { target, node, url };
  const { found, hint } = whyObserveOnly(plan.target, plan.class);
  return `${found}. ${hint}`;
}
