/**
 * Derives from the zod schema what readers of plans use: `shape.generated.ts` (see shape.ts) and the JSON Schema in
 * docs/plan.schema.json. `bun run generate:plan`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { planSchema } from './schema.ts';
import { PLAN_VERSION } from './version.ts';

export const SHAPE = join(import.meta.dirname, 'shape.generated.ts');
export const JSON_SCHEMA = join(import.meta.dirname, '../../docs/plan.schema.json');

type Schema = Record<string, unknown> & { type?: string; properties?: Record<string, Schema> };

const generated = (reused: 'ref' | 'inline'): Schema => z.toJSONSchema(planSchema, { reused }) as Schema;

/** JSON Schema for editors and for readers in other languages. */
export function jsonSchema(): string {
  const { $schema, ...rest } = generated('inline');
  const head = { $schema, title: `mos plan, format version ${PLAN_VERSION}` };
  return `${JSON.stringify({ ...head, ...rest }, null, 1)}\n`;
}

/** The module `shape.generated.ts`. */
export function shapeModule(): string {
  const schema = generated('ref');
  const names = new Map<string, string>();
  const parts: string[] = [];
  // A definition stands before those that use it.
  const define = (ref: string): string => {
    const name = names.get(ref);
    if (name) return name;
    const text = code((schema.$defs as Record<string, Schema>)[ref.replace('#/$defs/', '')]);
    const made = `s${names.size}`;
    names.set(ref, made);
    parts.push(`const ${made} = ${text};`);
    return made;
  };
  const fieldsOf = ({ properties = {}, required = [] }: Schema, optional: boolean): string =>
    `{ ${Object.entries(properties)
      .filter(([key]) => (required as string[]).includes(key) !== optional)
      .map(([key, value]) => `${key}: ${code(value)}`)
      .join(', ')} }`;
  const objectOf = (node: Schema): string => {
    const optional = fieldsOf(node, true);
    const grows = node.additions ? true : undefined;
    return call(
      'object',
      raw(fieldsOf(node, false)),
      raw(optional === '{  }' && !grows ? 'undefined' : optional),
      grows,
    );
  };
  const code = (node: Schema): string => {
    const { type, minimum, maximum, exclusiveMinimum, exclusiveMaximum, minLength, maxLength } = node;
    if (typeof node.$ref === 'string') return define(node.$ref);
    if ('const' in node) return `one(${JSON.stringify(node.const)})`;
    if (Array.isArray(node.enum)) return `one(${node.enum.map(v => JSON.stringify(v)).join(', ')})`;
    const union = (node.oneOf ?? node.anyOf) as Schema[] | undefined;
    if (union) return `either(${union.map(code).join(', ')})`;
    if (Array.isArray(type)) return `either(${type.map(t => code({ ...node, type: t })).join(', ')})`;
    switch (type) {
      case 'null':
        return 'one(null)';
      case 'boolean':
        return 'boolean';
      case 'integer':
        return call('integer', minimum, maximum);
      case 'number':
        return call(
          'number',
          minimum ?? exclusiveMinimum,
          maximum ?? exclusiveMaximum,
          exclusiveMinimum === undefined ? undefined : true,
          exclusiveMaximum === undefined ? undefined : true,
        );
      case 'string':
        return call('string', minLength, maxLength, node.pattern && new RegExp(node.pattern as string));
      case 'array':
        return node.prefixItems
          ? `tuple(${(node.prefixItems as Schema[]).map(code).join(', ')})`
          : call(
              'list',
              raw(code(node.items as Schema)),
              node.minItems,
              node.maxItems,
              node.additions && true,
            );
      case 'object':
        return node.properties ? objectOf(node) : `record(${code(node.additionalProperties as Schema)})`;
      default:
        throw new Error(`no check for ${JSON.stringify(node).slice(0, 200)}`);
    }
  };
  const plan = code(schema);
  const used = 'boolean either integer list number object one record string tuple'.split(' ');
  return [
    '// Written by `bun run generate:plan`; do not edit.',
    `import { ${used.join(', ')} } from './shape.ts';`,
    '',
    ...parts,
    `export const planShape = ${plan};`,
    '',
  ].join('\n');
}

const raw = (text: string) => ({ text });

/** A call with trailing absent arguments left out. */
function call(name: string, ...values: unknown[]): string {
  const written = values.map(v =>
    v instanceof RegExp ? String(v) : typeof v === 'object' ? (v as { text: string }).text : String(v),
  );
  while (written.at(-1) === 'undefined') written.pop();
  return `${name}(${written.join(', ')})`;
}

if (import.meta.main) {
  writeFileSync(SHAPE, shapeModule());
  writeFileSync(JSON_SCHEMA, jsonSchema());
}
