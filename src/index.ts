/**
 * `import { mos, compile, train, … } from 'mos'`, under Bun, Node and Deno: programs as text, compiled into plans, and plans
 * trained and used. Programs from functions are in `mos/builder`, plans without all this in `mos/runtime`.
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
export { type CompiledPlan, type CompileOptions, compile } from './api/compile.ts';
export type { RunEvent, StepEvent, ValidationEvent, Watching } from './api/events.ts';
export {
  type AnyPlan,
  type Device,
  type EvaluateOptions,
  evaluate,
  type GenerateOptions,
  generate,
  type LoadOptions,
  load,
  type Model,
  type OneOff,
  type Prompt,
} from './api/model.ts';
export { type TrainOptions, type TrainResult, train } from './api/train.ts';
export { Fault as MosError } from './report/fault.ts';
export type { Evaluation } from './run/evaluate.ts';
export type { TextOptions } from './script/check.ts';
export { type Interpolated, type Mos, mos } from './script/template.ts';
