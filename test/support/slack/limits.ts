import { z } from 'zod';
import { accessory, actionsElement, anyText, contextElement, id, image, inputElement, plainText } from './elements.ts';

const block = <Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.strictObject({ type: z.literal(type), block_id: id.optional(), ...shape });

const everywhere = [
  block('section', {
    text: anyText(3000).optional(),
    fields: z.array(anyText(2000)).min(1).max(10).optional(),
    accessory: accessory.optional(),
    expand: z.boolean().optional(),
  }).refine((it) => it.text !== undefined || it.fields !== undefined, 'must have text or fields'),
  block('header', { text: plainText(150) }),
  block('divider', {}),
  block('context', { elements: z.array(contextElement).min(1).max(10) }),
  block('actions', { elements: z.array(actionsElement).min(1).max(25) }),
  image.safeExtend({ block_id: id.optional(), title: plainText(2000).optional() }),
  block('input', {
    label: plainText(2000),
    element: inputElement,
    hint: plainText(2000).optional(),
    optional: z.boolean().optional(),
    dispatch_action: z.boolean().optional(),
  }),
  block('rich_text', { elements: z.array(z.looseObject({ type: z.string().startsWith('rich_text_') })) }),
] as const;

const markdown = block('markdown', { text: z.string().min(1).max(12_000) });
const table = block('table', {
  rows: z.array(z.array(z.looseObject({ type: z.enum(['raw_text', 'raw_number', 'rich_text']) })).max(20)).max(100),
  column_settings: z.array(z.looseObject({})).max(20).optional(),
});

const messageBlocks = z
  .array(z.discriminatedUnion('type', [...everywhere, markdown, table]))
  .max(50, 'no more than 50 items allowed')
  .superRefine(uniqueIds);
const viewBlocks = z
  .array(z.discriminatedUnion('type', [...everywhere]))
  .max(100, 'no more than 100 items allowed')
  .superRefine(uniqueIds);

const anyView = {
  blocks: viewBlocks,
  private_metadata: z.string().max(3000).optional(),
  callback_id: z.string().max(255).optional(),
  external_id: z.string().max(255).optional(),
};
const view = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('home'), ...anyView }),
  z
    .strictObject({
      type: z.literal('modal'),
      title: plainText(24),
      submit: plainText(24).optional(),
      close: plainText(24).optional(),
      clear_on_close: z.boolean().optional(),
      notify_on_close: z.boolean().optional(),
      submit_disabled: z.boolean().optional(),
      ...anyView,
    })
    .refine((it) => it.submit !== undefined || it.blocks.every((each) => each.type !== 'input'), {
      message: 'submit is required when blocks contain an input',
      path: ['submit'],
    }),
]);

/** A refusal as Slack words it: its error and what it says about it. */
export interface Refusal {
  error: string;
  messages: string[];
}

/** What Slack would refuse of a message: the arguments of chat.* or the body of a response_url. */
export function checkMessage(message: Record<string, unknown>): Refusal | null {
  const { text, blocks, attachments } = message;
  if (!text && !filled(blocks) && !filled(attachments)) return { error: 'no_text', messages: [] };
  if (typeof text === 'string' && text.length > 40_000) return { error: 'msg_too_long', messages: [] };
  if (blocks === undefined) return null;
  const messages = complaints(messageBlocks, blocks, '/blocks');
  return messages.length > 0 ? { error: 'invalid_blocks', messages } : null;
}

export function checkView(candidate: unknown): Refusal | null {
  const messages = complaints(view, candidate, '/view');
  return messages.length > 0 ? { error: 'invalid_arguments', messages } : null;
}

function filled(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0;
}

function complaints(schema: z.ZodType, value: unknown, at: string): string[] {
  const issues = schema.safeParse(value).error?.issues ?? [];
  return issues.map((issue) => `[ERROR] ${issue.message} [json-pointer:${[at, ...issue.path].join('/')}]`);
}

type Ids = { block_id?: string | undefined; elements?: { action_id?: string | undefined }[] };

/** Unique block ids in a surface, unique action ids in a block. */
function uniqueIds(blocks: unknown[], context: z.RefinementCtx): void {
  const report = (ids: (string | undefined)[], what: string, path: (string | number)[]) => {
    const known = ids.filter((each) => each !== undefined);
    for (const twice of new Set(known.filter((each, i) => known.indexOf(each) !== i))) {
      context.addIssue({ code: 'custom', message: `${what} ${twice} already exists`, path });
    }
  };
  report(
    (blocks as Ids[]).map((each) => each.block_id),
    'block_id',
    [],
  );
  for (const [i, each] of (blocks as Ids[]).entries()) {
    report(
      (each.elements ?? []).map((element) => element.action_id),
      'action_id',
      [i],
    );
  }
}
