import { existsSync } from 'node:fs';
import { fault } from '../../report/fault.ts';
import { defineCommand, numberOption } from '../command.ts';
import { PROGRAM_OPTIONS } from '../program.ts';
import { EXIT, runInWorker } from '../supervise.ts';

export const generate = defineCommand({
  name: 'generate',
  summary: 'let the model answer a prompt, with an adapter',
  usage: 'FILE.mos|PLAN --prompt TEXT [options]',
  about:
    'The prompt is put into the chat format of the model (`--raw`: taken as it is). Text appears as it is generated.',
  examples: [
    'mos generate examples/tiny.mos --prompt "Is a robin a bird?"',
    'mos generate examples/tiny.mos --prompt "Is a robin a bird?" --off',
  ],
  options: {
    ...PROGRAM_OPTIONS,
    prompt: {
      type: 'string',
      short: 'p',
      value: 'TEXT',
      multiple: true,
      about: 'what to answer; several are answered together',
    },
    raw: { type: 'boolean', about: 'continue the prompt without a chat format' },
    adapter: { type: 'string', value: 'DIR', about: 'adapter folder (default: OUT/adapter, if it is there)' },
    off: { type: 'boolean', about: 'switch all adapters off: the base model alone' },
    'max-tokens': { type: 'string', value: 'N', about: 'longest answer in tokens (default 64)' },
    temperature: { type: 'string', value: 'T', about: 'randomness; 0 is greedy (default)' },
    'top-k': { type: 'string', value: 'K', about: 'only the K likeliest tokens' },
    'top-p': { type: 'string', value: 'P', about: 'only the likeliest tokens of total probability P' },
  },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    if (!values.prompt)
      throw fault('bad-argument', '`mos generate` needs a prompt', { help: 'give one with `--prompt TEXT`' });
    const sampling = {
      temperature: numberOption('temperature', values.temperature, { min: 0 }) ?? 0,
      topK: numberOption('top-k', values['top-k'], { integer: true, min: 0 }) ?? 0,
      topP: numberOption('top-p', values['top-p'], { min: 0, max: 1 }) ?? 1,
    };
    const maxTokens = numberOption('max-tokens', values['max-tokens'], { integer: true, min: 1 }) ?? 64;
    const [{ adapterFolder, planFor }, { withAdvice }] = await Promise.all([
      import('../program.ts'),
      import('../memory.ts'),
    ]);
    // the seed of sampling may be given for a plan, too: it does not change the program
    const { folder, out, plan, wanted } = planFor(
      positionals[0],
      { ...values, seed: undefined },
      terminal,
      {},
      'generation',
    );
    if (values.adapter && !existsSync(values.adapter))
      throw fault('file-not-found', `there is no adapter folder \`${values.adapter}\``);
    const trained = adapterFolder(out);
    const adapter = values.off ? undefined : (values.adapter ?? (existsSync(trained) ? trained : undefined));
    const seed = numberOption('seed', values.seed, { integer: true, min: 0 }) ?? plan.training?.seed ?? 0;
    const prompts = values.prompt;
    const live = !terminal.json && prompts.length === 1;
    let texts: string[] = [];
    const code = await runInWorker(
      'generate',
      {
        plan: folder,
        adapter,
        prompts,
        raw: values.raw ?? false,
        maxTokens,
        sampling: { ...sampling, seed },
      },
      {
        terminal,
        explain: told => withAdvice(told, wanted),
        event: (name, data) => {
          if (name === 'text' && live) terminal.outPart(data as string);
        },
        result: value => {
          texts = value as string[];
        },
      },
    );
    if (code !== EXIT.ok) return code;
    if (terminal.json)
      terminal.outJson({ version: 1, answers: prompts.map((prompt, i) => ({ prompt, text: texts[i] })) });
    else if (live) terminal.out('');
    else for (const [i, text] of texts.entries()) terminal.out(`${prompts[i]}\n${text}\n`);
    return EXIT.ok;
  },
});
