/** `mos eval --protocol`: options, a plan with room for the longest prompt, the report. The work is src/run/evaluate-protocol.ts. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { oneOf, suggest } from '../../dsl/diagnostics/suggest.ts';
import { readTestSet } from '../data/questions.ts';
import { findModel, modelNotFound } from '../model/cache.ts';
import { openTokenizer } from '../model/open-tokenizer.ts';
import { defaultRule, PROMPTS, PROTOCOLS, type Protocol } from '../protocols/index.ts';
import { Fault, fault } from '../report/fault.ts';
import { type ProtocolArgs, promptOf, type Side, type SideResult } from '../run/evaluate-protocol.ts';
import { isPlanFolder, readPlan } from '../run/plan-folder.ts';
import { numberOption, type Options } from './command.ts';
import {
  adapterFolder,
  checkFile,
  compileInto,
  nameOf,
  outFolder,
  type ProgramValues,
  shapeOf,
} from './program.ts';
import { runInWorker } from './supervise.ts';
import type { Terminal } from './terminal.ts';

/** Questions asked together. */
const BATCH = 16;

export const PROTOCOL_OPTIONS = {
  protocol: {
    type: 'string',
    value: 'NAME',
    about: `a published evaluation on the file of \`--data\`: ${Object.keys(PROTOCOLS).join(', ')}`,
  },
  prompt: {
    type: 'string',
    value: 'NAME',
    about: `of a protocol, how questions are put: ${Object.keys(PROMPTS).join(', ')} (default chat)`,
  },
  rule: { type: 'string', value: 'NAME', about: 'of a protocol, how the answer is taken out of the text' },
  'max-tokens': { type: 'string', value: 'N', about: 'of a protocol, longest answer in tokens' },
  side: { type: 'string', value: 'NAME', about: 'of a protocol, only `base` or only `adapter`' },
} as const satisfies Options;

export interface ProtocolValues extends ProgramValues {
  protocol?: string | undefined;
  prompt?: string | undefined;
  rule?: string | undefined;
  'max-tokens'?: string | undefined;
  side?: string | undefined;
  adapter?: string | undefined;
  limit?: string | undefined;
}

export async function evaluatePublished(
  target: string,
  values: ProtocolValues,
  terminal: Terminal,
): Promise<number> {
  const whole = { integer: true, min: 1 };
  const name = named('protocol', values.protocol!, PROTOCOLS);
  const protocol: Protocol = PROTOCOLS[name];
  const prompt = named('prompt', values.prompt ?? 'chat', PROMPTS);
  const rule = named('rule', values.rule ?? defaultRule(protocol), protocol.rules);
  const maxTokens = numberOption('max-tokens', values['max-tokens'], whole) ?? protocol.maxTokens;
  const batch = numberOption('batch', values.batch, whole) ?? BATCH;
  const limit = numberOption('limit', values.limit, whole);
  const [data, ...more] = values.data ?? [];
  if (!data || more.length > 0)
    throw fault('bad-argument', '`--protocol` needs one test file', { help: 'name it with `--data FILE`' });
  const out = outFolder(target, values);
  const trained = adapterFolder(out);
  const adapter = values.adapter ?? (existsSync(trained) ? trained : undefined);
  if (adapter && !existsSync(adapter))
    throw fault('file-not-found', `there is no adapter folder \`${adapter}\``);
  const sides = sidesOf(values.side, adapter);
  const { items } = readTestSet(data, protocol.gold);
  const records = join(out, 'eval');
  const longest = (folder: string, vocabulary: number) => {
    const tokenizer = openTokenizer(folder, vocabulary);
    const asked = items
      .slice(0, limit)
      .map(i => promptOf(i, protocol, PROMPTS[prompt], tokenizer).ids.length);
    return Math.max(...asked) + maxTokens;
  };
  const plan = planWithRoom(target, records, values, terminal, batch, longest);
  const decoding = `greedy (published: ${protocol.decoding})`;
  terminal.note(
    `${protocol.about}: prompt ${prompt}, rule ${rule}, ${protocol.scoring}, at most ${maxTokens} new tokens, ${decoding}`,
  );
  const args: ProtocolArgs = {
    plan,
    out: records,
    sides,
    protocol: name,
    prompt,
    rule,
    data,
    maxTokens,
    batch,
    ...(adapter ? { adapter } : {}),
    ...(limit ? { limit } : {}),
  };
  let results: SideResult[] = [];
  const code = await runInWorker('eval-protocol', args, {
    terminal,
    result: value => {
      results = value as SideResult[];
    },
  });
  if (terminal.json) {
    if (results.length > 0)
      terminal.outJson({ version: 1, protocol: name, prompt, rule, maxTokens, decoding, results });
  } else for (const result of results) terminal.out(asText(name, result, protocol.items));
  return code;
}

/** One of the names of a table; a slip of the finger is answered with what may have been meant. */
function named<T extends object>(option: string, text: string, table: T): keyof T & string {
  if (Object.hasOwn(table, text)) return text as keyof T & string;
  const names = Object.keys(table);
  const near = suggest(text, names);
  throw fault('bad-argument', `there is no ${option} \`${text}\``, {
    help: near.length > 0 ? `did you mean ${oneOf(near)}?` : `there are: ${names.join(', ')}`,
  });
}

function sidesOf(side: string | undefined, adapter: string | undefined): Side[] {
  const all: Side[] = adapter ? ['base', 'adapter'] : ['base'];
  if (side === undefined) return all;
  if (side !== 'base' && side !== 'adapter')
    throw fault('bad-argument', `\`--side\` is \`base\` or \`adapter\`, not \`${side}\``);
  if (!all.includes(side))
    throw fault('bad-argument', 'there is no adapter to evaluate', {
      help: 'train the program first, or name one with `--adapter DIR`',
    });
  return [side];
}

/** Folder of a plan that holds the longest question with its answer. `tokens`: how long that is. */
function planWithRoom(
  target: string,
  records: string,
  values: ProtocolValues,
  terminal: Terminal,
  rows: number,
  tokens: (folder: string, vocabulary: number) => number,
): string {
  if (isPlanFolder(target)) {
    const { plan } = readPlan(target);
    const { path, vocabulary } = plan.model ?? { path: '', vocabulary: 0 };
    checkRoom(tokens(modelFolder(path, target), vocabulary), plan.context, 'the plan', {
      help: 'give the `.mos` file: it is compiled with room for the longest question',
    });
    return target;
  }
  const checked = checkFile(target, { ...values, data: undefined, batch: undefined }, terminal);
  if (!checked.program) throw new Fault(checked.diagnostics);
  const { program } = checked;
  if (checked.variants)
    throw fault('several-programs', `\`${target}\` is a sweep of ${checked.variants.length} programs`);
  const shape = shapeOf(program);
  const context = tokens(modelFolder(program.model.path, program.model.baseDir), shape.vocabulary);
  checkRoom(context, shape.maxPositions, 'the model');
  const folder = join(records, `${nameOf(target)}.mosplan`);
  const room = { use: 'generation', generation: { rows, context } } as const;
  compileInto(folder, program, checked.diagnostics, terminal, { ...values, ...room });
  return folder;
}

function modelFolder(path: string, from: string): string {
  const found = findModel(path, from);
  if (!found) throw modelNotFound(path);
  return found.folder;
}

function checkRoom(tokens: number, room: number, whose: string, extra = {}): void {
  if (tokens > room)
    throw fault(
      'prompt-too-long',
      `the longest question and its answer are ${tokens} tokens, but the context of ${whose} is ${room}`,
      extra,
    );
}

function asText(name: string, { side, score: s, none, record }: SideResult, published: number): string {
  const percent = (x: number) => `${(100 * x).toFixed(1)} %`;
  const part = s.total === published ? '' : ` (the published set has ${published})`;
  return [
    `${name} ${side.padEnd(7)} ${s.correct}/${s.total}${part}  ${percent(s.accuracy)}`,
    `95 % interval ${percent(s.low)} to ${percent(s.high)} (Wilson)`,
    `no answer found in ${none}`,
    record,
  ].join(', ');
}
