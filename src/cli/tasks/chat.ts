/**
 * A conversation, in the worker: questions come in while it runs, answers go out piece by piece. What the key-value cache
 * holds of a conversation is not run again.
 */
import type { Model } from '../../api/model.ts';
import type { Message } from '../../model/tokenizer.ts';
import { Fault } from '../../report/fault.ts';
import type { Answering, NamedAdapter } from '../answering.ts';
import type { TaskContext } from '../tasks.ts';
import { openModel } from './generate.ts';

export interface ChatArgs {
  plan: string;
  adapters: NamedAdapter[];
  /** Name of the adapter that answers at first. */
  using?: string;
  system?: string;
  answering: Answering;
}

/** What is done in turn. */
type Said =
  | { kind: 'question'; text: string }
  /** Adapters by name; none: the base alone. */
  | { kind: 'use'; names: string[] }
  | { kind: 'system'; text: string }
  | { kind: 'reset' }
  | { kind: 'end' };

/** What the command says. */
export type ToChat =
  | Said
  /** Ends the answer that is on its way. */
  | { kind: 'cancel' };

/** What the task says, as event `chat`; each thing that was said is answered by one of these, and questions by pieces before. */
export type FromChat =
  | { kind: 'piece'; text: string }
  | { kind: 'answer'; text: string; cancelled: boolean; forgotten: number }
  | { kind: 'ready'; adapters: readonly string[]; using: readonly string[] }
  | { kind: 'refused'; message: string; help?: string };

export async function task(args: ChatArgs, context: TaskContext): Promise<void> {
  const model = await openModel(args.plan, args.adapters, context);
  try {
    await model.use(...(args.using === undefined ? [] : [args.using]));
    const tell = (told: FromChat) => context.event('chat', told);
    const chat = new Conversation(model, args, tell);
    const waiting: Said[] = [];
    let wake = () => {};
    context.stop.addEventListener('abort', () => {
      chat.cancel();
      wake();
    });
    context.hear(data => {
      const said = data as ToChat;
      if (said.kind === 'cancel') chat.cancel();
      else waiting.push(said);
      wake();
    });
    chat.ready();
    while (!context.stop.aborted) {
      const said = waiting.shift();
      if (said?.kind === 'end') return;
      if (said) {
        context.phase('answering', 600);
        await chat.hear(said);
      } else {
        // nobody is in a hurry while a person thinks
        context.phase('waiting for a question', Number.POSITIVE_INFINITY);
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      }
    }
  } finally {
    model.close();
  }
}

class Conversation {
  private readonly model: Model;
  private readonly answering: Answering;
  private readonly tell: (told: FromChat) => void;
  private system: string | undefined;
  private turns: Message[] = [];
  private answer = new AbortController();
  private questions = 0;

  constructor(model: Model, { answering, system }: ChatArgs, tell: (told: FromChat) => void) {
    this.model = model;
    this.answering = answering;
    this.tell = tell;
    this.system = system;
  }

  /** The only adapter of a plan is untrained under its own name. */
  ready(): void {
    const { adapters, plan, using } = this.model;
    const named = plan.slots.length > 1 ? adapters : adapters.filter(name => !plan.slots.includes(name));
    this.tell({ kind: 'ready', adapters: named, using });
  }

  cancel(): void {
    this.answer.abort();
  }

  async hear(said: Exclude<Said, { kind: 'end' }>): Promise<void> {
    try {
      if (said.kind === 'question') return await this.ask(said.text);
      if (said.kind === 'use') await this.model.use(...said.names);
      else if (said.kind === 'reset') this.turns = [];
      else {
        this.system = said.text || undefined;
        this.turns = [];
      }
      this.ready();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const [{ code, message, help }] = error.diagnostics;
      // What a GPU or a file has done cannot be talked away.
      if (!['bad-argument', 'prompt-too-long', 'bad-chat-template'].includes(code)) throw error;
      this.tell({ kind: 'refused', message, ...(help ? { help } : {}) });
    }
  }

  private async ask(text: string): Promise<void> {
    const { model, answering } = this;
    this.answer = new AbortController();
    const { signal } = this.answer;
    const question: Message = { role: 'user', content: text };
    let forgotten = 0;
    const conversation = (): Message[] => [
      ...(this.system === undefined ? [] : [{ role: 'system' as const, content: this.system }]),
      ...this.turns,
      question,
    ];
    // The oldest turns go first, question and answer together.
    while (this.turns.length > 0 && !model.fits(conversation(), answering.maxTokens)) {
      this.turns.splice(0, 2);
      forgotten++;
    }
    const answer = await model.generate(conversation(), {
      ...answering,
      // a question asked twice may be answered in two ways
      seed: answering.seed + this.questions++,
      reuse: true,
      signal,
      onText: piece => this.tell({ kind: 'piece', text: piece }),
    });
    this.turns.push(question, { role: 'assistant', content: answer });
    this.tell({ kind: 'answer', text: answer, cancelled: signal.aborted, forgotten });
  }
}
