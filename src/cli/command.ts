/** What a command is, and how its arguments are read: `node:util` splits them, this checks them and says what is wrong. */
import { parseArgs } from 'node:util';
import { oneOf, suggest } from '../../dsl/diagnostics/suggest.ts';
import { fault } from '../report/fault.ts';
import type { Terminal } from './terminal.ts';

export interface Option {
  type: 'string' | 'boolean';
  /** One letter. */
  short?: string;
  /** May be given several times; the value is then a list. */
  multiple?: boolean;
  /** What stands for the value in help: `FILE`, `N`. */
  value?: string;
  /** A short line for help, lower case, no full stop. */
  about: string;
}

export type Options = Record<string, Option>;

type ValueOf<O extends Option> = O['type'] extends 'boolean'
  ? boolean
  : O['multiple'] extends true
    ? string[]
    : string;

/** What `run` gets for the options it declared; `undefined` when not given. */
export type Values<O extends Options> = { readonly [K in keyof O]: ValueOf<O[K]> | undefined };

/** The same before the types of a particular command are known. */
export type AnyValues = Readonly<Record<string, string | boolean | string[] | undefined>>;

export interface Invocation<O extends Options = Options> {
  values: Values<O>;
  positionals: string[];
  terminal: Terminal;
}

export interface Command<O extends Options = Options> {
  name: string;
  /** One line for the list of commands, lower case, no full stop. */
  summary: string;
  /** What follows `mos NAME`: `FILE.mos [options]`. */
  usage: string;
  /** Paragraphs under the usage line. */
  about?: string;
  /** Command lines worth copying. */
  examples?: string[];
  options: O;
  /** Fewest and most positionals; more is an error. */
  positionals?: [min: number, max: number];
  /** Resolves to the exit code. A thrown `Fault` is a user's problem, any other exception a bug. */
  run(invocation: Invocation<O>): Promise<number>;
}

/** Checks the shape of a command and forgets the types of its options, so that it fits the table. */
export function defineCommand<const O extends Options>(command: Command<O>): Command {
  return command as unknown as Command;
}

/** Options every command has. */
export const COMMON: Options = {
  help: { type: 'boolean', short: 'h', about: 'show this help' },
  json: { type: 'boolean', about: 'print the result, or the errors, as JSON on stdout' },
};

/** Splits `args` by the command's options. Throws `unknown-option` or `bad-argument`. */
export function readArguments(
  command: Command,
  args: string[],
): { values: AnyValues; positionals: string[] } {
  const options: Options = { ...command.options, ...COMMON };
  const { tokens, values, positionals } = parseArgs({
    args,
    options: Object.fromEntries(
      Object.entries(options).map(([name, { type, short, multiple }]) => [
        name,
        { type, ...(short ? { short } : {}), ...(multiple ? { multiple } : {}) },
      ]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const say = (code: 'unknown-option' | 'bad-argument', message: string, help?: string) =>
    fault(code, message, { help: help ?? `run \`mos ${command.name} --help\`` });

  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (!option) {
      const near = suggest(token.name, Object.keys(options));
      const help = near.length > 0 ? `did you mean ${oneOf(near.map(n => `--${n}`))}?` : undefined;
      throw say('unknown-option', `\`mos ${command.name}\` has no option \`${token.rawName}\``, help);
    }
    if (option.type === 'boolean' && token.value !== undefined) {
      throw say('bad-argument', `\`--${token.name}\` takes no value`);
    }
    if (option.type === 'string') {
      // `--out --json`: the value was forgotten. A value that starts with a dash is written `--out=-x`.
      const forgotten = token.value === undefined || (!token.inlineValue && /^-\D/.test(token.value));
      if (forgotten)
        throw say(
          'bad-argument',
          `\`--${token.name}\` needs a value${option.value ? `: ${option.value}` : ''}`,
        );
      if (
        !option.multiple &&
        tokens.some(t => t.kind === 'option' && t.name === token.name && t.index < token.index)
      ) {
        throw say('bad-argument', `\`--${token.name}\` is given twice`);
      }
    }
  }
  if (!values.help) {
    const [min, max] = command.positionals ?? [0, 0];
    const usage = `usage: mos ${command.name} ${command.usage}`.trim();
    if (positionals.length < min)
      throw say('bad-argument', `\`mos ${command.name}\` needs more arguments`, usage);
    if (positionals.length > max)
      throw say(
        'bad-argument',
        `\`mos ${command.name}\` does not know what to do with \`${positionals[max]}\``,
        usage,
      );
  }
  return { values: values as AnyValues, positionals };
}

/** Reads a number option such as `--steps 100`. */
export function numberOption(
  name: string,
  text: string | undefined,
  { integer = false, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = {},
): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  const kind = integer ? 'a whole number' : 'a number';
  if (!Number.isFinite(value) || (integer && !Number.isInteger(value)))
    throw fault('bad-argument', `\`--${name}\` needs ${kind}, not \`${text}\``);
  if (value < min || value > max) {
    const range =
      max === Number.POSITIVE_INFINITY
        ? `at least ${min}`
        : min === Number.NEGATIVE_INFINITY
          ? `at most ${max}`
          : `from ${min} to ${max}`;
    throw fault('bad-argument', `\`--${name}\` needs ${kind} ${range}, not \`${text}\``);
  }
  return value;
}
