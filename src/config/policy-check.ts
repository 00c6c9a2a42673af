import { type Risk, risks } from '../model.ts';
import { type Policy, resolvePolicy } from './config.ts';
import { suggest } from './nearest.ts';
import { type Environment, environmentOf, environments } from './policy-table.ts';
import type { Path, Remark } from './problem.ts';
import { PolicySettings } from './schema.ts';
import { type Source, select } from './source.ts';

interface Question {
  source: Source;
  approvers: ReadonlyMap<string, readonly string[]>;
  /** The action logins of each environment: where there are none, nothing is ever approved. */
  actions: Record<Environment, readonly Path[]>;
}

interface Cell {
  environment: Environment;
  risk: Risk;
  path: Path;
}

/** Policies that nobody could ever satisfy, and those that fail when one of the approvers is the one who asks. */
export function checkPolicies(source: Source): Remark[] {
  const approvers = readApprovers(source);
  const question = { source, approvers, actions: findActions(source) };
  const cells = environments.flatMap((environment) =>
    risks.map((risk): Cell => ({ environment, risk, path: ['policies', environment, risk] })),
  );
  const remarks = cells.flatMap((cell) => checkCell(cell, question));
  return approvers.size > 0 ? remarks : oneForAll(remarks, question);
}

/** Whoever is listed counts, also under an id that the schema refuses: one mistake is one problem. */
function readApprovers(source: Source): Question['approvers'] {
  const groups = select(source.value, ['approvers', '*']).map(({ path, value }): [string, string[]] => {
    return [String(path.at(-1)), Array.isArray(value) ? value.map(String) : []];
  });
  return new Map(groups);
}

function findActions(source: Source): Question['actions'] {
  const found: Record<Environment, Path[]> = { production: [], elsewhere: [] };
  for (const { path } of select(source.value, ['targets', '*', 'nodes', '*', 'actions', '*'])) {
    const word = select(source.value, [...path.slice(0, 2), 'environment'])[0]?.value ?? 'production';
    found[environmentOf(String(word))].push(path.slice(0, -1));
  }
  return found;
}

function checkCell(cell: Cell, question: Question): Remark[] {
  const { source, approvers } = question;
  const isUsed = question.actions[cell.environment].length > 0;
  const isWritten = source.isWritten(cell.path);
  if (!isUsed && !isWritten) return [];
  const settings = readCell(cell, source);
  if (settings === null) return [];
  const unknown = unknownGroups(cell, settings, question);
  if (unknown.length > 0) return unknown;
  const policy = resolvePolicy(settings, cell, approvers);
  return policy === 'off' ? [] : judge(policy, { cell, source, isUsed });
}

/** Null where it is not even well-formed: the schema has said so. */
function readCell({ path }: Cell, source: Source): PolicySettings | 'off' | undefined | null {
  const [found] = select(source.value, path);
  if (!found || found.value === 'off') return found ? 'off' : undefined;
  return PolicySettings.safeParse(found.value).data ?? null;
}

function unknownGroups(
  cell: Cell,
  settings: PolicySettings | 'off' | undefined,
  { source, approvers }: Question,
): Remark[] {
  const groups = settings === undefined || settings === 'off' ? [] : (settings.of ?? []);
  return groups.flatMap((group, index): Remark[] => {
    const path = [...cell.path, 'of', index];
    if (approvers.has(group)) return [];
    const known = [...approvers.keys()];
    const isShown = source.variablesOf(path).length === 0;
    const list = known.length > 0 ? `known: ${known.join(', ')}` : 'list its people under `approvers`';
    const name = isShown ? JSON.stringify(group) : source.variablesOf(path).map((one) => `\${${one}}`);
    return [
      {
        level: 'error',
        path,
        message: `there is no group ${name} in approvers`,
        hint: (isShown ? suggest(group, known) : undefined) ?? list,
      },
    ];
  });
}

function judge(policy: Policy, at: { cell: Cell; source: Source; isUsed: boolean }): Remark[] {
  const { environment, risk, path } = at.cell;
  const place = { path: at.source.isWritten(path) ? path : ['approvers'], on: 'key' as const };
  const setting = path.join('.');
  const needs = `${setting} needs ${policy.people === 1 ? '1 person' : `${policy.people} people`}`;
  const count = policy.of.length;
  if (count < policy.people) {
    const message = `${needs}, and ${count === 0 ? 'nobody' : `only ${count}`} can approve`;
    const hint = `add people to \`approvers\`, ask for fewer, or write ${risk}: off under policies.${environment}`;
    return [{ level: at.isUsed ? 'error' : 'warning', ...place, message, hint }];
  }
  if (policy.asker !== 'never' || count > policy.people) return [];
  const message = `${needs} besides the asker: what an approver asks for, nobody else is left to approve`;
  return [
    { level: 'warning', ...place, message, hint: 'what the bot proposes has no asker; one more person mends it' },
  ];
}

/** Without any approvers one problem says it all. */
function oneForAll(remarks: readonly Remark[], { actions }: Question): Remark[] {
  const [path] = [...actions.production, ...actions.elsewhere];
  const isUnmet = ({ level, path }: Remark) => level === 'error' && !path.includes('of');
  if (!path || !remarks.some(isUnmet)) return [...remarks];
  const message = 'this node may be acted upon, and `approvers` lists nobody who could approve it';
  const hint = 'list them by Slack user id, or remove `actions`: then the bot only observes';
  return [...remarks.filter((remark) => !isUnmet(remark)), { level: 'error', path, on: 'key', message, hint }];
}
