/**
 * Conversations → text. A model's own chat template (Jinja) is used where there is one; otherwise a plain form that any
 * base model can learn:
 *
 *     SYSTEM
 *
 *     ### Instruction:
 *     USER
 *
 *     ### Response:
 *     ASSISTANT<end of sequence>
 *
 * No clock is given to templates: text that changes with the date would make runs differ.
 */
import { Environment, Interpreter, Template } from '@huggingface/jinja';
import { fault } from '../report/fault.ts';

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface ChatFormat {
  /** Whether the template is the model's or the plain form above. */
  source: 'model' | 'plain';
  /**
   * Text of a conversation; `generationPrompt` appends what stands before an assistant's answer.
   * Fault `bad-chat-template` if the template refuses these messages or breaks.
   */
  render(messages: readonly Message[], generationPrompt: boolean): string;
}

const LONGEST_TEMPLATE = 256 * 1024;

/** A model's Jinja template. `bos` and `eos` are texts of special tokens, for templates that name them. */
export function templateFormat(source: string, bos: string, eos: string): ChatFormat {
  if (source.length > LONGEST_TEMPLATE)
    throw fault('bad-chat-template', 'the chat template is longer than 256 KiB');
  let template: Template;
  try {
    template = new Template(source);
  } catch (error) {
    throw templateFault(error);
  }
  return {
    source: 'model',
    render(messages, generationPrompt) {
      try {
        const environment = new Environment();
        for (const [name, value] of GLOBALS) environment.set(name, value);
        environment.set(
          'messages',
          messages.map(({ role, content }) => ({ role, content })),
        );
        environment.set('add_generation_prompt', generationPrompt);
        environment.set('bos_token', bos);
        environment.set('eos_token', eos);
        return String(new Interpreter(environment).run(template.parsed).value);
      } catch (error) {
        throw templateFault(error);
      }
    },
  };
}

/** What the library would define, without its clock and with a bound on `range`. */
const GLOBALS: [string, unknown][] = [
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
  ['range', range],
  [
    'raise_exception',
    (message: string) => {
      throw new Error(message);
    },
  ],
];

const LONGEST_RANGE = 10_000;

function range(first: number, last?: number, step = 1): number[] {
  const [from, to] = last === undefined ? [0, first] : [first, last];
  const count = Math.ceil((to - from) / step);
  if (!(count <= LONGEST_RANGE)) throw new Error(`range is longer than ${LONGEST_RANGE}`);
  return Array.from({ length: Math.max(0, count) }, (_, i) => from + i * step);
}

/** The interpreter throws plain errors for whatever a template does; the template is the user's, so they are faults. */
function templateFault(error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return fault('bad-chat-template', `the chat template fails: ${reason.slice(0, 200).replace(/\s+/g, ' ')}`);
}

/** The plain form. `bos` is empty for models that do not start sequences with a token. */
export function plainFormat(bos: string, eos: string): ChatFormat {
  return {
    source: 'plain',
    render(messages, generationPrompt) {
      const parts = messages.map(({ role, content }) => {
        if (role === 'system') return content;
        return role === 'user' ? `### Instruction:\n${content}` : `### Response:\n${content}${eos}`;
      });
      if (generationPrompt) parts.push('### Response:\n');
      return bos + parts.join('\n\n');
    },
  };
}
