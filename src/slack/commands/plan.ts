import type { Text } from '../../model.ts';
import { type AskedByHand, planByHand } from '../../remedy/by-hand.ts';
import { previewPlan } from '../../remedy/preview.ts';
import { type PreviewLine, previewLines } from '../../remedy/preview-lines.ts';
import type { SlackContext } from '../context.ts';

/** `/pg plan`: as `/pg run`, but nothing is asked for. Throws what planByHand throws. */
export async function readPlan(context: SlackContext, asked: AskedByHand): Promise<Text> {
  const { plan, does } = await planByHand(context.remedy, asked);
  const preview = await previewPlan(context.remedy, { plan, does, alertId: null });
  const refused = preview.verdicts.filter(({ ok }) => !ok).length;
  const end =
    refused === 0
      ? 'It may be run now, once it is approved: '
      : `It would be refused now, ${refused} of ${preview.verdicts.length} guards say no. Later: `;
  return [
    `${plan.runbook} on ${plan.target}; nothing was run.`,
    ...previewLines(preview).flatMap(tellLine),
    `\n${end}`,
    { code: `/pg run ${asked.runbook} ${asked.target} …` },
  ];
}

function tellLine({ label, text, isCode }: PreviewLine): Text {
  if (isCode) return [`\n${label}\n`, { lines: text }];
  return [`\n${label === '' ? '' : `${label}: `}${text}`];
}
