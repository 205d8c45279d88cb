/**
 * Program → the text of a `.mos` file that means the same. What is at its default is left out; constants are written
 * only for learned parameters that several experts share, for there the place they are written at matters.
 */
import { format } from './format.ts';
import { folderOf, join } from './paths.ts';
import { experts, quoted, SharedParameters } from './print-experts.ts';
import { printSpace } from './print-space.ts';
import type { AdapterBlock, DataBlock, EvalBlock, ModelBlock, Program, TrainBlock } from './program.ts';
import { adapterFields } from './vocabulary/adapter.ts';
import { dataFields } from './vocabulary/data.ts';
import { evalFields } from './vocabulary/eval.ts';
import { modelFields } from './vocabulary/model.ts';
import { optimizers, schedules, trainFields } from './vocabulary/train.ts';

/** The text of a program, formatted. Paths are relative to the folder of `program.file`, as they are in a file. */
export function printProgram(program: Program): string {
  const { model, adapters, data, train, evals, spaces = [] } = program;
  const folder = folderOf(program.file);
  const shared = new SharedParameters(adapters, spaces);
  const text = [
    ...shared.declarations(),
    ...spaces.map(space => printSpace(space)),
    ...(model.path === '' ? [] : [printModel(model, folder)]),
    ...adapters.map(adapter => printAdapter(adapter, shared)),
    ...(data ? [printData(data, folder)] : []),
    ...printTrain(train),
    ...evals.map(one => printEval(one, folder)),
  ].join('\n\n');
  return format(program.file, `${text}\n`).text ?? `${text}\n`;
}

/** `[name, value, default]`: fields that differ from their default. */
type Entry = [name: string, value: unknown, fallback: unknown, text?: string];

const written = (entries: Entry[]): string[] =>
  entries
    .filter(([, value, fallback]) => value !== undefined && value !== fallback)
    .map(([name, value, , text]) => `${name}: ${text ?? value}`);

const body = (fields: string[]): string => `< ${fields.join('; ')} >`;

/** A word, with its parameters if there are any to say. */
function call(word: string, entries: Entry[]): string {
  const args = entries
    .filter(([, value, fallback]) => value !== undefined && value !== fallback)
    .map(([name, value, , text]) => `${name}=${text ?? value}`);
  return args.length > 0 ? `${word}(${args.join(', ')})` : word;
}

function printModel({ path, baseDir, dtype }: ModelBlock, folder: string): string {
  return `model ${pathText(path, baseDir, folder)} ${body(written([['dtype', dtype, modelFields.dtype.fallback]]))}`;
}

/** A path as it is written in a file of `folder`. */
function pathText(path: string, baseDir: string, folder: string): string {
  if (path.startsWith('/') || baseDir === folder) return quoted(path);
  return quoted(relative(folder, join(baseDir, path)));
}

/** Both relative to one place, or both absolute; where that is not so, the path stays as it is. */
function relative(folder: string, path: string): string {
  if (folder.startsWith('/') !== path.startsWith('/')) return path;
  const from = folder.split('/').filter(part => part !== '' && part !== '.');
  const to = path.split('/').filter(part => part !== '' && part !== '.');
  while (from.length > 0 && from[0] === to[0] && from[0] !== '..') {
    from.shift();
    to.shift();
  }
  return [...from.map(() => '..'), ...to].join('/') || '.';
}

function printAdapter(adapter: AdapterBlock, shared: SharedParameters): string {
  const { name, targets, layers, rank, alpha, rslora, dropout } = adapter;
  const label = name === 'default' ? [] : [`${name}:`];
  const words = targets.map(({ kind, text }) => (kind === 'glob' ? quoted(text) : text)).join(', ');
  const ranges = layers.map(({ first, last }) => (first === last ? `${first}` : `${first}..${last}`));
  const doubled = 2 * adapter.experts.reduce((sum, expert) => sum + expert.rank, 0);
  const router = routerText(adapter);
  const fields = [
    ...written([
      ['rank', rank, adapterFields.rank.fallback],
      ['alpha', alpha, doubled],
      ['rslora', rslora, adapterFields.rslora.fallback],
      ['dropout', dropout, adapterFields.dropout.fallback],
    ]),
    `experts: ${experts(adapter, shared)}`,
    ...(router === undefined ? [] : [`router: ${router}`]),
  ];
  const where = ranges.length > 0 ? [`layers ${ranges.join(', ')}`] : [];
  return ['adapter', ...label, words, ...where, body(fields)].join(' ');
}

/** Undefined for what a mixture has without saying so. */
function routerText({ router }: AdapterBlock): string | undefined {
  if (!router) return undefined;
  const { kind, k, gate, aux, z, noise, on } = router;
  const common: Entry[] = [
    ['z', z, 0],
    ['noise', noise, 0],
    ['on', on, 'input'],
  ];
  if (kind === 'soft') return call('soft', [['gate', gate, 'renorm'], ...common]);
  const word = k === 1 ? 'top1' : k === 2 ? 'top2' : 'topk';
  const text = call(word, [
    ['k', word === 'topk' ? k : undefined, undefined],
    ['aux', aux, 0.01],
    ['gate', gate, k === 1 ? 'softmax' : 'renorm'],
    ...common,
  ]);
  return text === 'top2' ? undefined : text;
}

function printData({ paths, baseDir, format, length, validation, loss }: DataBlock, folder: string): string {
  const fields = written([
    ['format', format, dataFields.format.fallback],
    ['length', length, dataFields.length.fallback],
    ['validation', validation, dataFields.validation.fallback],
    ['loss', loss, dataFields.loss.fallback],
  ]);
  return `data ${paths.map(path => pathText(path, baseDir, folder)).join(', ')} ${body(fields)}`;
}

function printTrain(train: TrainBlock): string[] {
  const { schedule, optimizer, curvature } = train;
  const { beta1, beta2, eps, decay } = optimizers.adamw.params;
  const fallback = trainFields;
  const scheduleArgs: Entry[] =
    schedule.kind === 'constant'
      ? []
      : [
          ['warmup', schedule.warmup, schedules.cosine.params.warmup.fallback],
          ['floor', schedule.floor, schedules.cosine.params.floor.fallback],
        ];
  const optimizerArgs: Entry[] = [
    ['beta1', optimizer.beta1, beta1.fallback],
    ['beta2', optimizer.beta2, beta2.fallback],
    ['eps', optimizer.eps, eps.fallback],
    ['decay', optimizer.weightDecay, decay.fallback],
  ];
  const fields = written([
    ['steps', train.steps, fallback.steps.fallback],
    ['batch', train.batch, fallback.batch.fallback],
    ['accumulate', train.accumulate, fallback.accumulate.fallback],
    ['lr', train.lr, fallback.lr.fallback],
    ['schedule', call(schedule.kind, scheduleArgs), 'cosine'],
    ['optimizer', call(optimizer.kind, optimizerArgs), 'adamw'],
    ['curvature', call(curvature.kind, [['lr', curvature.lr, 0.01]]), 'adam'],
    ['router', train.routerLr, undefined],
    ['clip', train.clip, fallback.clip.fallback],
    ['seed', train.seed, fallback.seed.fallback],
    ['log', train.logEvery, fallback.log.fallback],
    ['validate', train.validateEvery, fallback.validate.fallback],
    ['recompute', train.recompute ?? 'none', fallback.recompute.fallback],
    ['patience', train.patience, fallback.patience.fallback],
    ['checkpoint', train.checkpointEvery, fallback.checkpoint.fallback],
  ]);
  return fields.length > 0 ? [`train ${body(fields)}`] : [];
}

function printEval(block: EvalBlock, folder: string): string {
  const { name, paths, baseDir, format, metric, maxTokens, batch, limit } = block;
  const fields = written([
    ['metric', metric, evalFields.metric.fallback],
    ['max_tokens', maxTokens, evalFields.max_tokens.fallback],
    ['batch', batch, evalFields.batch.fallback],
    ['limit', limit, undefined],
    ['format', format, evalFields.format.fallback],
  ]);
  const label = name === 'eval' ? '' : ` ${name}:`;
  return `eval${label} on ${paths.map(path => pathText(path, baseDir, folder)).join(', ')} ${body(fields)}`;
}
