import type { z } from 'zod';
import { ConfigFile, PolicySettings } from './schema.ts';
import { type Shape, shapeOf } from './shape.ts';

interface Row {
  key: string;
  type: string;
  default: string;
  does: string;
}

/** Every key of the configuration as a Markdown table; docs/config.md is made from it. */
export function configReference(): string {
  const rows = [
    ...rowsOf(ConfigFile, ''),
    ...rowsOf(PolicySettings, 'policies.<production or elsewhere>.<risk>').map((row) => ({
      ...row,
      default: 'as its risk',
    })),
  ];
  const distinct = rows.filter(({ key }, index) => rows.findIndex((row) => row.key === key) === index);
  const lines = distinct.map((row) => line([`\`${row.key}\``, row.type, row.default, row.does]));
  return [line(['key', 'type', 'default', 'what it does']), '|---|---|---|---|', ...lines, ''].join('\n');
}

function rowsOf(schema: z.core.$ZodType, key: string): Row[] {
  const shape = shapeOf(schema);
  const { def } = shape.schema._zod;
  if (shape.meta.type === undefined) {
    if (def.type === 'object')
      return Object.entries(def.shape).flatMap(([name, inner]) => rowsOf(inner, key === '' ? name : `${key}.${name}`));
    if (def.type === 'union') return def.options.flatMap((option) => rowsOf(option, key));
    if (def.type === 'record') return rowsOf(def.valueType, `${key}.<${shape.meta.key ?? 'name'}>`);
    if (def.type === 'array' && isMapping(def.element)) return [rowOf(shape, key), ...rowsOf(def.element, `${key}[]`)];
  }
  return [rowOf(shape, key)];
}

function isMapping(schema: z.core.$ZodType): boolean {
  return shapeOf(schema).schema._zod.def.type === 'object';
}

function rowOf(shape: Shape, key: string): Row {
  return { key, type: typeOf(shape), default: defaultOf(shape, key), does: shape.meta.description ?? '' };
}

function typeOf(shape: Shape): string {
  const { def } = shape.schema._zod;
  if (shape.meta.type !== undefined) return shape.meta.type.replace(/^an? /, '');
  if (def.type === 'array') return isMapping(def.element) ? 'list' : `list of ${typeOf(shapeOf(def.element))}s`;
  return def.type === 'enum' ? Object.values(def.entries).join(', ') : def.type;
}

function defaultOf({ meta, defaultValue, isOptional }: Shape, key: string): string {
  if (meta.default !== undefined) return meta.default;
  if (Array.isArray(defaultValue)) return 'none';
  if (defaultValue !== undefined) return `\`${String(defaultValue)}\``;
  return isOptional || key.endsWith('>') ? 'none' : 'required';
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
