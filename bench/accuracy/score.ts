/** What each contender said of one relation, as a share of its size; null for nothing at all. */
export interface Trial {
  name: string;
  /** What a rebuild gave back, as a share of the size before. */
  truth: number;
  said: ReadonlyMap<string, number | null>;
}

const falsePositive = { says: 0.3, truth: 0.1 };
const falseNegative = { truth: 0.3, says: 0.1 };

/** One row a contender, in percentage points. */
export function scoreTable(trials: readonly Trial[], contenders: readonly string[]): string[] {
  const clean = trials.filter(({ truth }) => truth < falsePositive.truth).length;
  const bloated = trials.filter(({ truth }) => truth >= falseNegative.truth).length;
  return [
    `| contender | judged | mean pp | p90 | max | worst | FP30 of ${clean} | FN of ${bloated} | no number, bloated |`,
    '|---|---:|---:|---:|---:|---|---:|---:|---:|',
    ...contenders.map((contender) => `| ${contender} | ${score(trials, contender).join(' | ')} |`),
  ];
}

function score(trials: readonly Trial[], contender: string): (string | number)[] {
  const judged = trials.flatMap(({ name, truth, said }) => {
    const share = said.get(contender) ?? null;
    return share === null ? [] : [{ name, truth, share, error: 100 * Math.abs(share - truth) }];
  });
  const errors = judged.map(({ error }) => error).sort((a, b) => a - b);
  const worst = judged.find(({ error }) => error === errors.at(-1));
  return [
    judged.length,
    (errors.reduce((sum, error) => sum + error, 0) / Math.max(1, errors.length)).toFixed(1),
    (errors[Math.ceil(errors.length * 0.9) - 1] ?? 0).toFixed(1),
    (errors.at(-1) ?? 0).toFixed(1),
    worst?.name ?? '',
    judged.filter(({ truth, share }) => truth < falsePositive.truth && share >= falsePositive.says).length,
    judged.filter(({ truth, share }) => truth >= falseNegative.truth && share < falseNegative.says).length,
    trials.filter(({ truth, said }) => truth >= falseNegative.truth && (said.get(contender) ?? null) === null).length,
  ];
}

/** Each relation, the worst of a contender first. */
export function listTrials(trials: readonly Trial[], contenders: readonly string[], by: string): string[] {
  const errorOf = ({ truth, said }: Trial) => Math.abs((said.get(by) ?? truth) - truth);
  const percent = (share: number | null | undefined) =>
    share === null || share === undefined ? '–' : (100 * share).toFixed(1);
  return [
    `| relation | truth | ${contenders.join(' | ')} |`,
    `|---|---:|${contenders.map(() => '---:|').join('')}`,
    ...[...trials]
      .sort((a, b) => errorOf(b) - errorOf(a))
      .map(
        ({ name, truth, said }) =>
          `| ${name} | ${percent(truth)} | ${contenders.map((one) => percent(said.get(one))).join(' | ')} |`,
      ),
  ];
}
