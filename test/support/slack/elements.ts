import { z } from 'zod';

/*
 * Slack's rules for what goes into blocks: https://docs.slack.dev/reference/block-kit, with the lengths of
 * @slack/types 3.2.0. Strict objects, since Slack refuses a property it does not know.
 */

export const id = z.string().min(1).max(255);

const longUrl = z.url().max(3000);

export const plainText = (max: number) =>
  z.strictObject({ type: z.literal('plain_text'), text: z.string().min(1).max(max), emoji: z.boolean().optional() });

export const anyText = (max: number) =>
  z.discriminatedUnion('type', [
    plainText(max),
    z.strictObject({ type: z.literal('mrkdwn'), text: z.string().min(1).max(max), verbatim: z.boolean().optional() }),
  ]);

const confirm = z.strictObject({
  title: plainText(100),
  text: anyText(300),
  confirm: plainText(30),
  deny: plainText(30),
  style: z.enum(['primary', 'danger']).optional(),
});

const option = z.strictObject({
  text: plainText(75),
  value: z.string().max(75),
  description: plainText(75).optional(),
});
const richOption = option.extend({ text: anyText(75), description: anyText(75).optional() });
const optionList = z.array(option).min(1).max(100);
const optionGroup = z.strictObject({ label: plainText(75), options: optionList });

const acting = { action_id: id.optional() };
const confirming = { ...acting, confirm: confirm.optional() };
const choosing = { ...confirming, focus_on_load: z.boolean().optional() };
const prompting = { ...choosing, placeholder: plainText(150).optional() };
const typing = {
  ...acting,
  focus_on_load: z.boolean().optional(),
  placeholder: plainText(150).optional(),
  dispatch_action_config: z.looseObject({}).optional(),
};
const many = { max_selected_items: z.int().min(1).optional() };
const initial = z.unknown().optional();
const fixedOptions = { options: optionList.optional(), option_groups: z.array(optionGroup).min(1).max(100).optional() };
const search = { min_query_length: z.int().min(0).optional() };

const kind = <Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.strictObject({ type: z.literal(type), ...shape });

export const image = kind('image', {
  alt_text: z.string().min(1).max(2000),
  image_url: longUrl.optional(),
  slack_file: z.looseObject({}).optional(),
}).refine((it) => (it.image_url === undefined) !== (it.slack_file === undefined), 'needs image_url or slack_file');

const button = kind('button', {
  ...confirming,
  text: plainText(75),
  value: z.string().max(2000).optional(),
  url: longUrl.optional(),
  style: z.enum(['primary', 'danger']).optional(),
  accessibility_label: z.string().max(75).optional(),
});
const overflow = kind('overflow', { ...confirming, options: z.array(option).min(1).max(5) });

/** Elements that may stand in an actions block, an input and beside a section. */
const pickers = [
  kind('static_select', { ...prompting, ...fixedOptions, initial_option: initial }),
  kind('multi_static_select', { ...prompting, ...fixedOptions, ...many, initial_options: initial }),
  kind('external_select', { ...prompting, ...search, initial_option: initial }),
  kind('multi_external_select', { ...prompting, ...search, ...many, initial_options: initial }),
  kind('users_select', { ...prompting, initial_user: initial }),
  kind('multi_users_select', { ...prompting, ...many, initial_users: initial }),
  kind('channels_select', { ...prompting, initial_channel: initial, response_url_enabled: z.boolean().optional() }),
  kind('conversations_select', { ...prompting, initial_conversation: initial, filter: initial }),
  kind('radio_buttons', { ...choosing, options: z.array(richOption).min(1).max(10), initial_option: initial }),
  kind('checkboxes', { ...choosing, options: z.array(richOption).min(1).max(10), initial_options: initial }),
  kind('datepicker', { ...prompting, initial_date: initial }),
  kind('timepicker', { ...prompting, initial_time: initial, timezone: initial }),
  kind('datetimepicker', { ...choosing, initial_date_time: initial }),
] as const;

const textInputs = [
  kind('plain_text_input', {
    ...typing,
    initial_value: z.string().optional(),
    multiline: z.boolean().optional(),
    min_length: z.int().min(0).max(3000).optional(),
    max_length: z.int().min(1).max(3000).optional(),
  }),
  kind('email_text_input', { ...typing, initial_value: initial }),
  kind('url_text_input', { ...typing, initial_value: initial }),
  kind('number_input', {
    ...typing,
    is_decimal_allowed: z.boolean(),
    initial_value: initial,
    min_value: initial,
    max_value: initial,
  }),
] as const;

export const actionsElement = z.discriminatedUnion('type', [button, overflow, ...pickers]);
export const accessory = z.discriminatedUnion('type', [button, overflow, image, ...pickers]);
export const inputElement = z.discriminatedUnion('type', [...pickers, ...textInputs]);
export const contextElement = z.discriminatedUnion('type', [anyText(2000), image]);
