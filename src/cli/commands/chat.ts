import { createInterface } from 'node:readline';
import { oneOf, suggest } from '../../../dsl/diagnostics/suggest.ts';
import { ANSWER_OPTIONS } from '../answering.ts';
import { defineCommand } from '../command.ts';
import { PROGRAM_OPTIONS } from '../program.ts';
import { runInWorker } from '../supervise.ts';
import type { FromChat, ToChat } from '../tasks/chat.ts';
import type { Terminal } from '../terminal.ts';

const MAX_TOKENS = 512;
/** Tokens a conversation may have unless `--context` says otherwise. */
const CONTEXT = 2048;

const HELP = `/adapter NAME   answer with this adapter from now on; several names: with all of them
/adapter off    answer with the base model alone
/adapter        which there are, and which is in use
/system TEXT    start anew with this instruction; without TEXT: with none
/reset          forget the conversation
/help           this list
/exit           end, as Ctrl-D does
Ctrl-C stops an answer.`;
const COMMANDS = ['adapter', 'system', 'reset', 'help', 'exit'];

export const chat = defineCommand({
  name: 'chat',
  summary: 'talk to the model, and change adapters while you do',
  usage: 'FILE.mos|PLAN [options]',
  about:
    'Answers line by line in the chat format of the model; /help lists what else can be typed. Reads questions from a pipe as ' +
    'well, one per line. Only what is new in a conversation is computed for each answer.',
  examples: [
    'mos chat examples/tiny.mos',
    'mos chat qwen.mos --adapter math=runs/math/adapter --adapter code=runs/code/adapter --temperature 0.7',
  ],
  options: {
    ...PROGRAM_OPTIONS,
    ...ANSWER_OPTIONS,
    system: { type: 'string', value: 'TEXT', about: 'an instruction before the conversation' },
  },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    const [{ adaptersOf, answeringOf, contextOf, seedOf }, { planFor }, { withAdvice }] = await Promise.all([
      import('../answering.ts'),
      import('../program.ts'),
      import('../memory.ts'),
    ]);
    const answering = answeringOf(values, MAX_TOKENS);
    const generation = { rows: 1, context: contextOf(values) ?? CONTEXT };
    const { folder, out, plan, wanted } = planFor(
      positionals[0],
      { ...values, seed: undefined, use: 'generation', generation },
      terminal,
    );
    // a model with a short context, or a plan for one, still has room for a question
    const maxTokens = Math.min(answering.maxTokens, Math.ceil(plan.context / 2));
    const adapters = adaptersOf(values, out);
    const using = values.off ? undefined : adapters[0]?.name;
    const dialogue = new Dialogue(terminal);
    try {
      return await runInWorker(
        'chat',
        {
          plan: folder,
          adapters,
          ...(using === undefined ? {} : { using }),
          ...(values.system === undefined ? {} : { system: values.system }),
          answering: { ...answering, maxTokens, seed: seedOf(values.seed, plan) },
        },
        {
          terminal,
          explain: told => withAdvice(told, wanted),
          started: say => dialogue.start(say),
          interrupt: () => dialogue.interrupt(),
          event: (name, data) => {
            if (name === 'chat') dialogue.told(data as FromChat);
          },
        },
      );
    } finally {
      dialogue.close();
    }
  },
});

/** The person's side: reads lines, one at a time, and shows what comes back. */
class Dialogue {
  readonly #terminal: Terminal;
  readonly #lines: string[] = [];
  #say: (data: ToChat) => void = () => {};
  #reader: ReturnType<typeof createInterface> | undefined;
  /** Whether an answer, or the model, is waited for. */
  #busy = true;
  #answering = false;
  #ended = false;
  #adapters: readonly string[] = [];
  #using: readonly string[] = [];
  #greeted = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  start(say: (data: unknown) => void): void {
    this.#say = say;
    const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
    this.#reader = createInterface({
      input: process.stdin,
      ...(terminal ? { output: process.stdout } : {}),
      terminal,
      prompt: '> ',
    });
    this.#reader.on('line', line => {
      this.#lines.push(line);
      this.#next();
    });
    this.#reader.on('close', () => {
      this.#ended = true;
      this.#next();
    });
    // at a terminal the reader takes Ctrl-C for itself
    this.#reader.on('SIGINT', () => {
      if (!this.interrupt()) this.#reader?.close();
    });
  }

  /** Stops the answer on its way; false where there is none. */
  interrupt(): boolean {
    if (this.#answering) this.#say({ kind: 'cancel' });
    return this.#answering;
  }

  close(): void {
    this.#reader?.close();
    process.stdin.unref?.();
  }

  #next(): void {
    while (!this.#busy) {
      const line = this.#lines.shift();
      if (line === undefined) {
        if (this.#ended) this.#send({ kind: 'end' });
        else if (process.stdin.isTTY) this.#reader?.prompt();
        return;
      }
      if (line.trim() !== '') this.#read(line.trim());
    }
  }

  #send(said: ToChat): void {
    this.#busy = true;
    this.#answering = said.kind === 'question';
    this.#say(said);
  }

  #read(line: string): void {
    const [, command, rest = ''] = /^\/(\w*)\s*(.*)$/s.exec(line) ?? [];
    const names = rest.split(/[\s,]+/).filter(Boolean);
    if (command === undefined) this.#send({ kind: 'question', text: line });
    else if (command === 'help') this.#terminal.note(HELP);
    else if (command === 'exit' || command === 'quit') this.#send({ kind: 'end' });
    else if (command === 'reset') this.#send({ kind: 'reset' });
    else if (command === 'system') this.#send({ kind: 'system', text: rest });
    else if (command === 'adapter' && names.length === 0) this.#showAdapters();
    else if (command === 'adapter')
      this.#send({ kind: 'use', names: names.filter(name => name !== 'off' && name !== 'base') });
    else {
      const near = suggest(command, COMMANDS);
      const help =
        near.length > 0 ? `did you mean ${oneOf(near.map(n => `/${n}`))}?` : '/help lists what there is';
      this.#terminal.note(`there is no \`/${command}\`; ${help}`);
    }
  }

  told(told: FromChat): void {
    const terminal = this.#terminal;
    switch (told.kind) {
      case 'piece':
        if (!terminal.json) terminal.outPart(told.text);
        return;
      case 'answer':
        if (terminal.json) terminal.outJson({ version: 1, answer: told.text, using: this.#using });
        else terminal.out(told.cancelled ? ' …' : '');
        if (told.forgotten > 0)
          terminal.note(
            `the conversation outgrew its context: the oldest ${told.forgotten === 1 ? 'turn is' : `${told.forgotten} turns are`} forgotten`,
          );
        break;
      case 'ready':
        this.#adapters = told.adapters;
        this.#using = told.using;
        this.#showAdapters();
        if (!this.#greeted) terminal.note('/help lists what can be typed besides questions');
        this.#greeted = true;
        break;
      case 'refused':
        terminal.note(told.help ? `${told.message}; ${told.help}` : told.message);
        break;
      default:
        told satisfies never;
    }
    this.#busy = false;
    this.#answering = false;
    this.#next();
  }

  #showAdapters(): void {
    const using = this.#using.length === 0 ? 'the base model alone' : this.#using.join(', ');
    const others = this.#adapters.filter(name => !this.#using.includes(name));
    this.#terminal.note(`answering: ${using}${others.length > 0 ? `; there is ${others.join(', ')}` : ''}`);
  }
}
