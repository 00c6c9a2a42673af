import type { Judged, Severity } from '../src/model.ts';
import type { LockFacts } from './lock-chains.chain.ts';
import { type ChainSession, rootsOf, type Structure, structureOf, victimsOf } from './lock-chains.graph.ts';
import { count, inBrief } from './shared/sessions.ts';

/** Sessions that wait for each other, and whoever waits behind them: nobody of them has a root. */
interface Cycle {
  members: readonly ChainSession[];
  behind: readonly ChainSession[];
}

/** What is to be said of deadlocks, which PostgreSQL ends by itself; `grade` says how bad such waits are. */
export function judgeCycles(facts: LockFacts, grade: (waits: readonly ChainSession[]) => Severity | null): Judged[] {
  return cyclesOf(facts).flatMap((cycle) => {
    const severity = grade([...cycle.members, ...cycle.behind]);
    return severity ? [describe(cycle, severity)] : [];
  });
}

function cyclesOf({ queues, sessions }: LockFacts): Cycle[] {
  const structure = structureOf(queues);
  const rooted = new Set(rootsOf(structure).flatMap((root) => [...victimsOf(structure, root).keys()]));
  const left = new Set([...structure.blockersOf.keys()].filter((pid) => !rooted.has(pid)));
  const cycles: Cycle[] = [];
  for (const pid of left) {
    const members = cycleAt(structure, pid);
    if (!members.has(pid)) continue;
    const behind = victimsOf(structure, pid);
    for (const one of members) left.delete(one);
    cycles.push({
      members: sessions.filter((one) => members.has(one.pid)).sort((a, b) => a.pid - b.pid),
      behind: sessions.filter((one) => behind.has(one.pid) && !members.has(one.pid)),
    });
  }
  return cycles;
}

/** Those who wait for this one, directly or not, and whom it waits for; itself among them if it is in a cycle. */
function cycleAt(structure: Structure, pid: number): Set<number> {
  const ahead = new Set<number>();
  const open = [pid];
  for (const one of open) {
    for (const blocker of structure.blockersOf.get(one) ?? []) {
      if (typeof blocker !== 'number' || ahead.has(blocker)) continue;
      ahead.add(blocker);
      open.push(blocker);
    }
  }
  const behind = victimsOf(structure, pid);
  return new Set([...ahead].filter((one) => one === pid || behind.has(one)));
}

function describe({ members, behind }: Cycle, severity: Severity): Judged {
  const pids = members.map(({ pid }) => pid);
  const [first] = members;
  const named = `${pids.slice(0, -1).join(', ')} and ${pids.at(-1)}`;
  const others = behind.length > 0 ? ` ${count(behind.length, 'session')} more behind them.` : '';
  const waits = [...members, ...behind].map(({ waitSeconds }) => waitSeconds ?? 0);
  return {
    database: first?.database ?? null,
    fingerprint: `database ${first?.databaseOid} deadlock`,
    severity,
    title: `${count(members.length, 'session')} wait for each other: a deadlock`,
    summary: [
      `Pids ${named} wait for each other.${others}`,
      'PostgreSQL ends one of them once it has waited for its deadlock_timeout; nothing is offered meanwhile.',
    ].join('\n'),
    evidence: members
      .map(({ pid, waitSeconds, query }) => `${pid} waits ${inBrief(waitSeconds ?? 0)}  ${query ?? ''}`.slice(0, 88))
      .join('\n'),
    subject: { kind: 'backend', pid: pids[0] ?? 0, backendStart: first?.backendStart ?? '' },
    facts: {
      cycle: pids,
      victimCount: waits.length,
      longestWaitSeconds: Math.max(...waits),
      behind: behind.map(({ pid }) => pid),
    },
    runbooks: [],
    impact: null,
  };
}
