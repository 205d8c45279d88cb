import { fault } from '../../report/fault.ts';
import { ANSWER_OPTIONS } from '../answering.ts';
import { defineCommand } from '../command.ts';
import { PROGRAM_OPTIONS } from '../program.ts';
import { EXIT, runInWorker } from '../supervise.ts';

const MAX_TOKENS = 64;

export const generate = defineCommand({
  name: 'generate',
  summary: 'let the model answer prompts, with an adapter or without',
  usage: 'FILE.mos|PLAN --prompt TEXT [options]',
  about:
    'The prompt is put into the chat format of the model (`--raw`: taken as it is). Text appears as it is generated. ' +
    '`--compare` puts the answers of the base and of every adapter side by side.',
  examples: [
    'mos generate examples/tiny.mos --prompt "Is a robin a bird?"',
    'mos generate examples/tiny.mos --prompts questions.txt --compare',
    'mos generate examples/tiny.mos -p "Is a robin a bird?" --adapter a=runs/a/adapter --adapter b=runs/b/adapter --compare',
  ],
  options: {
    ...PROGRAM_OPTIONS,
    ...ANSWER_OPTIONS,
    prompt: {
      type: 'string',
      short: 'p',
      value: 'TEXT',
      multiple: true,
      about: 'what to answer; several are answered together',
    },
    prompts: {
      type: 'string',
      value: 'FILE',
      about: 'a prompt per line, or .jsonl with `prompt` or `messages`',
    },
    raw: { type: 'boolean', about: 'continue the prompt without a chat format' },
    compare: { type: 'boolean', about: 'answers of the base and of each adapter side by side' },
  },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    const [
      { adaptersOf, answeringOf, contextOf, promptText, readPrompts, seedOf },
      { planFor },
      { withAdvice },
    ] = await Promise.all([import('../answering.ts'), import('../program.ts'), import('../memory.ts')]);
    const prompts = [...(values.prompt ?? []), ...(values.prompts ? readPrompts(values.prompts) : [])];
    if (prompts.length === 0)
      throw fault('bad-argument', '`mos generate` needs a prompt', {
        help: 'give one with `--prompt TEXT`, or a file of them with `--prompts FILE`',
      });
    if (values.off && (values.compare || values.adapter))
      throw fault('bad-argument', '`--off` leaves no adapter to answer or to compare');
    const answering = answeringOf(values, MAX_TOKENS);
    const context = contextOf(values);
    const { folder, out, plan, wanted } = planFor(
      positionals[0],
      // the seed of sampling may be given for a plan, too: it does not change the program
      { ...values, seed: undefined, use: 'generation', ...(context ? { generation: { context } } : {}) },
      terminal,
    );
    const adapters = values.off ? [] : adaptersOf(values, out);
    const names = adapters.map(({ name }) => name);
    if (values.compare && names.length === 0)
      throw fault('bad-argument', 'there is no adapter to compare with', {
        help: 'train one, or name its folder with `--adapter DIR`',
      });
    if (names.length > 1 && !values.compare)
      throw fault('bad-argument', 'several adapters answer with `--compare` only');
    const sides = values.compare ? [undefined, ...names] : [names[0]];
    const live = !terminal.json && prompts.length === 1 && sides.length === 1;
    let answers: string[][] = [];
    const code = await runInWorker(
      'generate',
      {
        plan: folder,
        adapters,
        sides,
        prompts,
        raw: values.raw ?? false,
        answering: { ...answering, seed: seedOf(values.seed, plan) },
      },
      {
        terminal,
        explain: told => withAdvice(told, wanted),
        event: (name, data) => {
          if (name === 'text' && live) terminal.outPart((data as { piece: string }).piece);
        },
        result: value => {
          answers = value as string[][];
        },
      },
    );
    if (live) terminal.out('');
    if (code !== EXIT.ok || live) return code;
    const labels = sides.map(side => side ?? 'base');
    for (const [i, prompt] of prompts.entries()) {
      const texts = answers.map(side => side[i] ?? '');
      if (terminal.json) continue;
      const { sideBySide } = await import('../columns.ts');
      terminal.out(promptText(prompt));
      terminal.out(values.compare ? sideBySide(labels, texts, process.stdout.columns ?? 100) : texts[0]);
      terminal.out('');
    }
    if (terminal.json)
      terminal.outJson({
        version: 1,
        answers: prompts.map((prompt, i) =>
          values.compare
            ? { prompt, texts: Object.fromEntries(labels.map((label, s) => [label, answers[s][i]])) }
            : { prompt, text: answers[0][i] },
        ),
      });
    return EXIT.ok;
  },
});
