/**
 * Blocks → program: which kinds there are, what stands in their headers, and what their fields say together. Only what
 * the text can tell is checked here; whether a target exists is known when the model is.
 */
import type { BlockNode, Target } from './ast.ts';
import { buildAdapter } from './check-adapter.ts';
import { buildSpaces } from './check-space.ts';
import { isTextCode } from './diagnostics/catalogue.ts';
import { fix, type Report } from './diagnostics/report.ts';
import { helpFor } from './diagnostics/suggest.ts';
import { type Lowered, Lowering } from './lower.ts';
import type { Names } from './names.ts';
import { folderOf } from './paths.ts';
import type { DataBlock, EvalBlock, ModelBlock, Program, Span, TrainBlock } from './program.ts';
import { dataFields } from './vocabulary/data.ts';
import { evalFields } from './vocabulary/eval.ts';
import { isKind, KIND, type Kind, type KindName, kindNames } from './vocabulary/kinds.ts';
import { modelFields } from './vocabulary/model.ts';
import { trainFields } from './vocabulary/train.ts';

/** What the command line says; it wins over the file. Paths are relative to where the command runs. */
export interface Overrides {
  model?: string;
  data?: string[];
  steps?: number;
  batch?: number;
  lr?: number;
  seed?: number;
}

/** What the caller cannot do without. */
export interface Needs {
  /** Default true. */
  model?: boolean;
  /** Default false. */
  data?: boolean;
}

const elsewhere = (field: string): string[] =>
  kindNames.filter(kind => Object.hasOwn(KIND[kind].fields, field));

export function checkBlocks(
  file: string,
  blocks: BlockNode[],
  names: Names,
  report: Report,
  overrides: Overrides,
  needs: Needs,
): Program {
  buildSpaces(names, report);
  const lowering = new Lowering(report, names, elsewhere);
  const nowhere: Span = { file, start: 0, end: 0, line: 1, column: 1 };
  const baseDir = folderOf(file);
  const first = new Map<string, Span>();
  const evalNames = new Map<string, Span>();
  let model: ModelBlock | undefined;
  let data: DataBlock | undefined;
  let train: TrainBlock | undefined;
  const adapters: Program['adapters'] = [];
  const evals: EvalBlock[] = [];
  let adapterSeen = false;

  const once = (kind: KindName, block: BlockNode): void => {
    const earlier = first.get(kind);
    if (earlier) {
      report.add('duplicate-block', block.keyword.span, `there are two \`${kind}\` blocks`, {
        related: [{ span: earlier, message: 'the first is here' }],
        help: 'join them into one',
      });
    } else first.set(kind, block.keyword.span);
  };

  for (const block of blocks) {
    const kind = block.keyword.text;
    if (!isKind(kind)) {
      unknownKind(block, report);
      continue;
    }
    if (KIND[kind].status === 'later') {
      report.add('not-yet', block.keyword.span, `\`${kind}\` is not part of this version`, {
        help: 'remove the block',
      });
      continue;
    }
    checkHeader(block, KIND[kind], report);
    switch (kind) {
      case 'model': {
        once(kind, block);
        const { values } = lowering.fields(kind, modelFields, block.fields);
        const [path] = pathsOf(block, 'model', overrides.model === undefined, report);
        model ??= { path: path ?? '', baseDir, dtype: values.dtype, origin: block.header };
        break;
      }
      case 'data': {
        once(kind, block);
        const { values } = lowering.fields(kind, dataFields, block.fields);
        const paths = pathsOf(block, 'data', overrides.data === undefined, report);
        data ??= { paths, baseDir, ...values, origin: block.header };
        break;
      }
      case 'train':
        once(kind, block);
        train ??= buildTrain(lowering.fields(kind, trainFields, block.fields), block.header);
        break;
      case 'adapter':
        adapterSeen = true;
        adapters.push(buildAdapter(block, lowering, report));
        break;
      case 'eval':
        evals.push(buildEval(block, lowering, baseDir, evalNames, report));
        break;
      case 'export':
      case 'sweep':
        break;
      default:
        kind satisfies never;
    }
  }

  // What a broken or misspelt block would have said is not known to be missing.
  const complete =
    !report.list.some(({ code }) => isTextCode(code) && code !== 'bidi-character') &&
    blocks.every(({ keyword }) => isKind(keyword.text));
  if (complete && !adapterSeen) {
    report.add('missing-adapter', nowhere, 'no adapter is declared', {
      help: 'write `adapter q_proj < experts: hyperbolic, euclid >`',
    });
  }
  if (overrides.model !== undefined)
    model = {
      dtype: model?.dtype ?? 'auto',
      path: overrides.model,
      baseDir: '.',
      origin: model?.origin ?? nowhere,
    };
  else if (!model && complete && (needs.model ?? true)) {
    report.add('missing-model', nowhere, 'no model is given', {
      help: 'write `model "path" < >`, or pass `--model path`',
    });
  }
  if (overrides.data !== undefined) {
    data ??= { paths: [], baseDir, ...lowering.fields('data', dataFields, []).values, origin: nowhere };
    data = { ...data, paths: overrides.data, baseDir: '.' };
  } else if (!data && complete && needs.data) {
    report.add('missing-data', nowhere, 'no data is given', {
      help: 'write `data "file.jsonl" < >`, or pass `--data file`',
    });
  }
  train ??= buildTrain(lowering.fields('train', trainFields, []), nowhere);
  overrideTrain(train, overrides, report);
  const spaces = spacesOf(adapters, names);
  return {
    file,
    model: model ?? { path: '', baseDir, dtype: 'auto', origin: nowhere },
    adapters,
    ...(data && { data }),
    train,
    evals,
    ...(spaces.length > 0 && { spaces }),
  };
}

/** Definitions of the declared spaces that experts name. */
function spacesOf(adapters: Program['adapters'], names: Names): NonNullable<Program['spaces']> {
  const named = new Set(adapters.flatMap(({ experts }) => experts.map(({ space }) => space)));
  return [...named].flatMap(name => names.spaces.get(name)?.definition ?? []);
}

function unknownKind(block: BlockNode, report: Report): void {
  const { text, span } = block.keyword;
  const help = helpFor(text, [...kindNames.filter(kind => KIND[kind].status === 'now'), 'let', 'use']);
  const meant = /^replace it with `(\w+)`$/.exec(help ?? '')?.[1];
  report.add('unknown-kind', span, `\`${text}\` is not a kind of block`, {
    ...(help && { help: meant ? help : `start the block with ${help.replace(/^write /, '')}` }),
    ...(meant && fix(`write \`${meant}\``, span, meant, 'unsafe')),
  });
}

/** Parts of the header this kind has no place for. */
function checkHeader(block: BlockNode, kind: Kind, report: Report): void {
  const name = block.keyword.text;
  const misplaced = (span: Span, what: string, help: string) =>
    report.add('misplaced-part', span, `\`${name}\` takes no ${what}`, { help });
  if (block.label) {
    const { text, span } = block.label;
    if (!kind.label) misplaced(span, 'name', 'remove the name and its colon');
    else if (text.includes('.'))
      report.add('bad-name', span, `\`${text}\` is not a name`, {
        help: `write \`${text.replaceAll('.', '_')}\``,
      });
  }
  const [target] = block.targets;
  if (target && kind.targets === 'none') {
    const path = kind.on && target.kind === 'string';
    const help = path
      ? `write \`on "${target.text}"\``
      : kind.on && target.text === 'on'
        ? 'write `on "file.jsonl"`'
        : kind.label && !block.label
          ? 'put a colon after its name'
          : 'remove it';
    misplaced(target.span, path ? 'path of its own' : 'target', help);
  }
  if (block.on && !kind.on) misplaced(block.on.span, '`on`', 'remove it');
  if (block.layers && !kind.layers) misplaced(block.layers.span, '`layers`', 'move it to an `adapter`');
}

/** The paths in the header of a `model` or a `data` block. */
function pathsOf(block: BlockNode, kind: 'model' | 'data', needed: boolean, report: Report): string[] {
  const paths: string[] = [];
  for (const target of block.targets) {
    if (target.kind === 'word') {
      report.add('wrong-value', target.span, `\`${kind}\` takes a path in quotes`, {
        help: `write \`"${target.text}"\``,
        ...fix('add quotes', target.span, `"${target.text}"`, 'safe'),
      });
    } else if (target.text === '') emptyPath(target, report);
    else paths.push(target.text);
  }
  const second = block.targets[1];
  if (kind === 'model' && second)
    report.add('too-many-values', second.span, '`model` takes one path', { help: 'remove all but one' });
  if (needed && block.targets.length === 0 && !block.damaged) {
    report.add(
      'missing-path',
      block.keyword.span,
      `this \`${kind}\` names no ${kind === 'model' ? 'folder' : 'file'}`,
      {
        help: kind === 'model' ? 'write `model "folder" < >`' : 'write `data "file.jsonl" < >`',
      },
    );
  }
  return paths;
}

const emptyPath = (target: Pick<Target, 'span'>, report: Report): void =>
  report.add('missing-path', target.span, 'this path is empty', { help: 'write the path in the quotes' });

function buildEval(
  block: BlockNode,
  lowering: Lowering,
  baseDir: string,
  seen: Map<string, Span>,
  report: Report,
): EvalBlock {
  const { values } = lowering.fields('eval', evalFields, block.fields);
  const name = block.label?.text ?? 'eval';
  const place = block.label?.span ?? block.keyword.span;
  const earlier = seen.get(name);
  if (earlier) {
    report.add('duplicate-name', place, `two evals are called \`${name}\``, {
      related: [{ span: earlier, message: 'the first is here' }],
      help: block.label ? 'give one of them another name' : 'name them: `eval clock: on "file" < >`',
    });
  } else seen.set(name, place);
  if (!block.on && block.targets.length === 0 && !block.damaged) {
    report.add('missing-path', block.keyword.span, 'this `eval` names no file', {
      help: `write \`eval ${name}: on "file.jsonl" < >\``,
    });
  }
  for (const path of block.on?.paths ?? []) if (path.text === '') emptyPath(path, report);
  return {
    name,
    paths: (block.on?.paths ?? []).map(({ text }) => text),
    baseDir,
    format: values.format,
    metric: values.metric,
    maxTokens: values.max_tokens,
    batch: values.batch,
    ...(values.limit !== undefined && { limit: values.limit }),
    origin: block.header,
  };
}

function buildTrain({ values }: Lowered<typeof trainFields>, origin: Span): TrainBlock {
  const { schedule, optimizer, curvature } = values;
  const { beta1, beta2, eps, decay } = optimizer.args;
  return {
    steps: values.steps,
    batch: values.batch,
    accumulate: values.accumulate,
    lr: values.lr,
    schedule:
      schedule.head === 'constant'
        ? { kind: 'constant', warmup: 0, floor: 1 }
        : { kind: schedule.head, ...schedule.args },
    optimizer: { kind: optimizer.head, beta1, beta2, eps, weightDecay: decay },
    curvature: { kind: curvature.head, lr: curvature.args.lr },
    ...(values.router !== undefined && { routerLr: values.router }),
    clip: values.clip,
    seed: values.seed,
    logEvery: values.log,
    validateEvery: values.validate,
    recompute: values.recompute,
    patience: values.patience,
    checkpointEvery: values.checkpoint,
    origin,
  };
}

/** Numbers from the command line pass the same schemas as those of the file. */
function overrideTrain(train: TrainBlock, overrides: Overrides, report: Report): void {
  for (const name of ['steps', 'batch', 'lr', 'seed'] as const) {
    const value = overrides[name];
    if (value === undefined) continue;
    const { says, schema } = trainFields[name].shape as ShapeOfNumber;
    if (schema.safeParse(value).success) train[name] = value;
    else
      report.add('out-of-range', undefined, `\`--${name}\` must be ${says}, not ${value}`, {
        help: `pass ${says}`,
      });
  }
}

type ShapeOfNumber = Extract<(typeof trainFields)['steps']['shape'], { is: 'number' }>;
