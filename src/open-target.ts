import type { Config, TargetConfig } from './config/config.ts';
import { isChosenBy, isIgnoredBy } from './detect/choice.ts';
import type { Logger } from './log.ts';
import type { RemedyTarget } from './remedy/context.ts';
import { protectedBecause } from './targets/protect.ts';
import { Reader } from './targets/reader.ts';
import { SlowLane } from './targets/slow-lane.ts';

/** A target as the service works with it; its connections are opened at their first question. */
export function openTarget(config: Config, target: TargetConfig, log: Logger): RemedyTarget {
  const nodes = target.nodes.map((node) => ({
    name: node.name,
    reader: new Reader({ name: node.name, url: node.url, log }),
    lane: new SlowLane({ name: node.name, url: node.url, log }),
    actionUrls: node.actions,
  }));
  const actingPids = new Set<number>();
  return {
    name: target.name,
    environment: target.environment,
    isProduction: target.policies === 'production',
    channel: target.channel,
    calendar: { timezone: target.timezone, windows: target.windows, freezes: target.freezes },
    nodes,
    actingPids,
    protectedBecause: protectedBecause({
      ownPids: () => [...nodes.flatMap(({ reader, lane }) => [...reader.pids(), ...lane.pids()]), ...actingPids],
      names: target.protect,
    }),
    isChosen: (database) => isChosenBy(target.databases, database),
    isIgnored: (finding, now) => isIgnoredBy(config.jobs.get(finding.job)?.ignores ?? [], finding, now),
    policyFor: (risk) => {
      const policy = config.policies[target.policies][risk];
      return policy === 'off' ? null : { risk, people: policy.people, of: policy.of, asker: policy.asker };
    },
  };
}
