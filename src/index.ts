/**
 * `import { mos, … } from 'mos'`: the language from TypeScript, under Bun, Deno and Node. A template or the builder gives
 * the same checked program as a file; loops, conditions and functions are TypeScript's.
 */
export type { Plan } from '../compiler/plan/schema.ts';
export {
  type Checked,
  type CheckOptions,
  check,
  type Diagnostic,
  meaningOf,
  type Program,
  renderText,
  type Variant,
} from '../dsl/index.ts';
export { printProgram as format } from '../dsl/print.ts';
export * from './script/blocks.ts';
export { MosError, type TextOptions } from './script/check.ts';
export { type CompiledProgram, type CompileOptions, compile } from './script/compile.ts';
export { type Interpolated, type Mos, mos } from './script/template.ts';
export * from './script/values.ts';
export type { Written } from './script/written.ts';
