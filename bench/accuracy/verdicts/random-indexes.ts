import { type Random, randomOf } from '../random.ts';
import type { Verdict, VerdictCase } from './case.ts';

/** An index as it is asked for. */
interface Spec {
  name: string;
  keys: string[];
  included: string[];
  predicate: string;
  isUnique: boolean;
}

/** Few columns and orders, so that many begin alike. */
export function randomIndexSets(seed: number, count: number): VerdictCase[] {
  const random = randomOf(seed);
  return Array.from({ length: count }, (_, number) => {
    const specs = Array.from({ length: random.between(2, 7) }, (_, index) => specOf(random, `i${index}`));
    return {
      name: `random ${number}`,
      isSick: specs.some((one) => specs.some((other) => other !== one && does(other, one))),
      async make(scene) {
        await scene.run('create table t (a int, b int, c int)', ...specs.map(textOf));
        return (said: readonly string[]) => compare(specs, said);
      },
    };
  });
}

function specOf(random: Random, name: string): Spec {
  const columns = ['a', 'b', 'c'].sort(() => random.next() - 0.5);
  const keyed = columns.slice(0, random.between(1, 3));
  return {
    name,
    keys: keyed.map((column) => `${column}${random.pick(['', '', '', ' desc', ' nulls first'])}`),
    included: columns.slice(keyed.length).filter(() => random.chance(0.15)),
    predicate: random.pick(['', '', '', 'a > 5', 'b is not null']),
    isUnique: random.chance(0.2),
  };
}

function textOf({ name, keys, included, predicate, isUnique }: Spec): string {
  return [
    `create ${isUnique ? 'unique ' : ''}index ${name} on t (${keys.join(', ')})`,
    included.length > 0 ? `include (${included.join(', ')})` : '',
    predicate ? `where ${predicate}` : '',
  ].join(' ');
}

/** By the words of the statements: whether all that `narrow` is good for, `wide` is too. */
function does(wide: Spec, narrow: Spec): boolean {
  const columns = (spec: Spec) => [...spec.keys.map((key) => key.slice(0, 1)), ...spec.included];
  const begins = narrow.keys.every((key, at) => key === wide.keys[at]);
  const returns = narrow.included.every((column) => columns(wide).includes(column));
  const keepsUnique = !narrow.isUnique || (wide.isUnique && wide.keys.length === narrow.keys.length);
  return begins && returns && keepsUnique && wide.predicate === narrow.predicate;
}

/** What goes must be done by one that stays, and of those that stay none may do for another. */
function compare(specs: readonly Spec[], said: readonly string[]): Verdict {
  const drops = said.map((one) => one.split('<'));
  const named = (name: string | undefined) => specs.find((one) => one.name === name);
  const kept = specs.filter(({ name }) => !drops.some(([drop]) => drop === name));
  const wrong = drops.filter(([drop, keep]) => {
    const [narrow, wide] = [named(drop), named(keep)];
    return !narrow || !wide || !kept.includes(wide) || !does(wide, narrow);
  });
  const missed = kept.filter((narrow) => kept.some((wide) => wide !== narrow && does(wide, narrow)));
  return { wrong: wrong.map((one) => one.join('<')), missed: missed.map(({ name }) => name) };
}
