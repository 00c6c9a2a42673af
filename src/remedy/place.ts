import type { RemedyContext, RemedyNode, RemedyTarget } from './context.ts';
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
  if (!url)
    return `${plan.target} is observe-only for ${plan.class}: its configuration has no actions.${plan.class} URL`;
  return { target, node, url };
}
