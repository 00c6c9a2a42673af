import type { z } from 'zod';
import type { Path } from './problem.ts';
import type { ValueMeta } from './values.ts';

/** A schema without its wrappers (default, optional, pipe), and what all of them say of it. */
export interface Shape {
  schema: z.core.$ZodTypes;
  meta: ValueMeta & { description?: string };
  isOptional: boolean;
  /** Undefined without a default. */
  defaultValue: unknown;
}

type Outer = Omit<Shape, 'schema'>;

export function shapeOf(schema: z.core.$ZodType, outer: Outer = bare): Shape {
  const typed = schema as z.core.$ZodTypes;
  const { def } = typed._zod;
  const here = { ...outer, meta: { ...metaOf(schema), ...outer.meta } };
  if (def.type === 'optional') return shapeOf(def.innerType, { ...here, isOptional: true });
  if (def.type === 'default' || def.type === 'prefault')
    return shapeOf(def.innerType, { ...here, isOptional: true, defaultValue: def.defaultValue });
  if (def.type === 'pipe') return shapeOf(def.in._zod.def.type === 'transform' ? def.out : def.in, here);
  return { schema: typed, ...here };
}

/** The shapes a path may have: several where the file may be written in several ways. */
export function shapesAt(schema: z.core.$ZodType, path: Path): Shape[] {
  const shape = shapeOf(schema);
  const [step, ...rest] = path;
  const { def } = shape.schema._zod;
  if (def.type === 'union') {
    const options = def.options.flatMap((option) => shapesAt(option, path));
    return step === undefined ? [shape, ...options] : options;
  }
  if (step === undefined) return [shape];
  if (def.type === 'object') return Object.hasOwn(def.shape, step) ? shapesAt(def.shape[step] as never, rest) : [];
  if (def.type === 'array') return shapesAt(def.element, rest);
  return def.type === 'record' ? shapesAt(def.valueType, rest) : [];
}

export function keysOf({ schema }: Shape): string[] {
  const { def } = schema._zod;
  return def.type === 'object' ? Object.keys(def.shape) : [];
}

const bare: Outer = { meta: {}, isOptional: false, defaultValue: undefined };

function metaOf(schema: z.core.$ZodType): Shape['meta'] {
  return 'meta' in schema && typeof schema.meta === 'function' ? (schema.meta() ?? {}) : {};
}
