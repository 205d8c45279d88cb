/**
 * Values of the tree → plain values, as a vocabulary's shapes ask. Whatever does not fit is told here, and replaced by
 * its default so that checking goes on; a program is only handed out if nothing was told.
 */
import type { ArgumentNode, FieldNode, Name, ValueNode } from './ast.ts';
import { describe, unquoted } from './describe.ts';
import { type Extra, fix, type Report } from './diagnostics/report.ts';
import { helpFor, oneOf } from './diagnostics/suggest.ts';
import { type Names, placeOf } from './names.ts';
import type { Parameter, ShareScope, Span } from './program.ts';
import {
  type CallShape,
  type Field,
  type Fields,
  learnFields,
  type NumberShape,
  type ParameterShape,
  type Shape,
  type ValuesOf,
  type WordShape,
} from './vocabulary/shape.ts';

export interface Lowered<F extends Fields> {
  values: ValuesOf<F>;
  /** Where a value was written: `router`, `router.aux`, `experts.0`. Absent: the default holds. */
  spans: Map<string, Span>;
  /** Given, and not understood. */
  failed: Set<string>;
}

/** Most experts of one adapter; a router over more is no mixture any more, and `* 1000000` is a slip. */
const MAX_EXPERTS = 64;

/** Other kinds that have a field, for the help of a misplaced one. */
export type Elsewhere = (field: string) => string[];

export class Lowering {
  private readonly report: Report;
  private readonly names: Names;
  private readonly elsewhere: Elsewhere;

  constructor(report: Report, names: Names, elsewhere: Elsewhere) {
    this.report = report;
    this.names = names;
    this.elsewhere = elsewhere;
  }

  fields<F extends Fields>(owner: string, table: F, nodes: FieldNode[]): Lowered<F> {
    const values: Record<string, unknown> = {};
    for (const [name, { fallback }] of Object.entries(table)) values[name] = fallback;
    const spans = new Map<string, Span>();
    const failed = new Set<string>();
    const seen = new Map<string, Span>();
    for (const node of nodes) {
      const { text, span } = node.name;
      if (!Object.hasOwn(table, text)) {
        const there = this.elsewhere(text);
        const help = there.length > 0 ? `move it to ${oneOf(there)}` : helpFor(text, Object.keys(table));
        // Broken and misspelt at once is one slip more often than two.
        if (!node.damaged)
          this.report.add(
            'unknown-field',
            span,
            `\`${owner}\` has no field \`${text}\``,
            help ? { help } : {},
          );
        continue;
      }
      const first = seen.get(text);
      if (first) {
        this.report.add('duplicate-field', span, `\`${text}\` is given twice`, {
          related: [{ span: first, message: 'first given here' }],
          help: 'remove one of them',
        });
        continue;
      }
      seen.set(text, span);
      const field = table[text] as Field;
      const value = node.damaged ? undefined : this.field(text, field, node, spans);
      if (value === undefined) failed.add(text);
      else values[text] = value;
    }
    return { values: values as ValuesOf<F>, spans, failed };
  }

  private field(name: string, { shape, many }: Field, node: FieldNode, spans: Map<string, Span>): unknown {
    const [first, second] = node.values;
    if (!first) return undefined;
    if (!many && second) {
      this.report.add('too-many-values', second.span, `\`${name}\` takes one value`, {
        help: 'remove all but one',
      });
      return undefined;
    }
    const lowered: unknown[] = [];
    let complete = true;
    for (const written of node.values) {
      const times = this.times(name, written, many);
      const path = many ? `${name}.${lowered.length}` : name;
      const value = this.value(written, shape, name, path, spans);
      if (times === undefined || value === undefined) {
        complete = false;
        continue;
      }
      if (lowered.length + times > MAX_EXPERTS) {
        this.report.add(
          'bad-multiplicity',
          written.times?.span ?? written.span,
          `an adapter has at most ${MAX_EXPERTS} experts`,
          { help: 'use fewer' },
        );
        return undefined;
      }
      for (let i = 0; i < times; i++) {
        spans.set(many ? `${name}.${lowered.length}` : name, written.span);
        lowered.push(value);
      }
    }
    if (!complete) return undefined;
    return many ? lowered : lowered[0];
  }

  private times(name: string, written: ValueNode, many: boolean): number | undefined {
    let product = 1;
    const resolved = written.kind === 'constant' ? this.names.constants.get(written.name)?.value : undefined;
    for (const times of [written.times, resolved?.times]) {
      if (!times) continue;
      const { count, span } = times;
      if (!many) {
        this.report.add('bad-multiplicity', span, `\`${name}\` has one value, which cannot be repeated`, {
          help: 'remove the factor',
        });
        return undefined;
      }
      if (!Number.isInteger(count) || count < 1 || count > MAX_EXPERTS) {
        this.report.add(
          'bad-multiplicity',
          span,
          `an expert is repeated a whole number of times, from 1 to ${MAX_EXPERTS}`,
          { help: 'write how many experts there are to be' },
        );
        return undefined;
      }
      product *= count;
    }
    return product;
  }

  /** What a parameter is where its space declares it. Undefined: told. */
  parameter(written: ValueNode, shape: ParameterShape, name: string): Parameter | undefined {
    return this.value(written, shape, name, name, new Map()) as Parameter | undefined;
  }

  /** Undefined: told. */
  private value(
    written: ValueNode,
    shape: Shape,
    name: string,
    path: string,
    spans: Map<string, Span>,
  ): unknown {
    const value = this.names.resolve(written);
    if (!value || value.kind === 'broken') return undefined;
    const { span, related } = placeOf(written, value);
    const wrong = (takes: string, help?: string): undefined => {
      const extra: Extra = { ...(help && { help }), ...(related && { related }) };
      this.report.add('wrong-value', span, `\`${name}\` takes ${takes}, not ${describe(value)}`, extra);
    };
    switch (shape.is) {
      case 'number':
        return value.kind === 'number'
          ? this.number(value, shape, name, span, related)
          : wrong(shape.says, 'write a number');
      case 'flag':
        return value.kind === 'flag' ? value.value : wrong('true or false', 'write `true` or `false`');
      case 'word':
        if (value.kind === 'call') return this.word(value, shape, name);
        return wrong(
          'a word',
          unquoted(value, Object.keys(shape.words)) ?? `write ${oneOf(Object.keys(shape.words))}`,
        );
      case 'parameter':
        if (value.kind === 'number') return this.fixed(value, shape, name, span, related);
        if (value.kind === 'call') return this.learned(value, shape, name, path, spans);
        return wrong('a number or `learn`', unquoted(value, ['learn']) ?? 'write a number, or `learn`');
      case 'call':
        if (value.kind === 'call') return this.call(value, shape, name, path, spans);
        return wrong(
          shape.noun === 'space' ? 'spaces' : `a ${shape.noun}`,
          unquoted(value, Object.keys(shape.heads)) ?? `write ${oneOf(Object.keys(shape.heads))}`,
        );
      default:
        return shape satisfies never;
    }
  }

  private number(
    value: ValueNode & { kind: 'number' },
    shape: NumberShape,
    name: string,
    span: Span,
    related: Extra['related'],
  ): number | undefined {
    const { value: plain, dimension } = value.quantity;
    const extra = related ? { related } : {};
    if (dimension !== 'none' && dimension !== shape.unit) {
      const unit = { fraction: 'a percentage', time: 'a duration', bytes: 'a size in bytes' }[dimension];
      this.report.add('unit-mismatch', span, `\`${name}\` takes ${shape.says}, not ${unit}`, {
        help:
          shape.unit === 'fraction' ? 'write it in percent, or without a unit' : 'write it without a unit',
        ...extra,
      });
      return undefined;
    }
    if (shape.schema.safeParse(plain).success) return plain;
    this.report.add('out-of-range', span, `\`${name}\` must be ${shape.says}, not ${plain}`, {
      help: `write ${shape.says}`,
      ...extra,
    });
    return undefined;
  }

  private word(
    { word, parenthesised, span }: ValueNode & { kind: 'call' },
    shape: WordShape,
    name: string,
  ): string | undefined {
    if (Object.hasOwn(shape.words, word.text)) {
      if (!parenthesised) return word.text;
      this.report.add('no-parameters', span, `\`${word.text}\` takes no parameters`, {
        help: `write \`${word.text}\``,
        ...fix('remove the parentheses', span, word.text, 'unsafe'),
      });
      return undefined;
    }
    if (Object.hasOwn(shape.later, word.text)) {
      this.report.add('not-yet', word.span, `\`${name}: ${word.text}\` is not part of this version`, {
        help: `write ${oneOf(Object.keys(shape.words))}`,
      });
      return undefined;
    }
    this.unknown(
      'unknown-choice',
      word,
      name,
      Object.keys(shape.words),
      `\`${name}\` cannot be \`${word.text}\``,
    );
    return undefined;
  }

  private unknown(
    code: 'unknown-choice' | 'unknown-space',
    word: Name,
    name: string,
    known: string[],
    message: string,
  ): void {
    const top = /^top(\d+)$/.exec(word.text);
    let help = helpFor(word.text, known);
    let meant = help?.startsWith('replace it with') ? /`(\w+)`$/.exec(help)?.[1] : undefined;
    if (this.names.constants.has(word.text)) meant = `$${word.text}`;
    else if (name === 'router' && top && known.includes('topk')) meant = `topk(k=${Number(top[1])})`;
    if (meant)
      help = meant.startsWith('$') ? `write \`${meant}\` for the constant` : `replace it with \`${meant}\``;
    this.report.add(code, word.span, message, {
      ...(help && { help }),
      ...(meant && fix(`write \`${meant}\``, word.span, meant, 'unsafe')),
    });
  }

  private fixed(
    value: ValueNode & { kind: 'number' },
    shape: ParameterShape,
    name: string,
    span: Span,
    related: Extra['related'],
  ): Parameter | undefined {
    const plain = this.number(value, shape.number, name, span, related);
    return plain === undefined ? undefined : { kind: 'fixed', value: plain };
  }

  private learned(
    value: ValueNode & { kind: 'call' },
    shape: ParameterShape,
    name: string,
    path: string,
    spans: Map<string, Span>,
  ): Parameter | undefined {
    const { word, args } = value;
    if (word.text !== 'learn') {
      this.report.add('unknown-choice', word.span, `\`${name}\` cannot be \`${word.text}\``, {
        help: 'write a number, or `learn`',
      });
      return undefined;
    }
    const given = this.parameters(word, learnFields(shape), args, path, spans);
    if (!given) return undefined;
    const {
      init = shape.init,
      min,
      max,
      lr,
      decay,
      share,
    } = given as { [K in 'init' | 'min' | 'max' | 'lr' | 'decay']?: number } & { share?: ShareScope };
    const at = (key: string) => spans.get(`${path}.${key}`) ?? value.span;
    if (min !== undefined && max !== undefined && min >= max) {
      this.report.add('learn-bounds', at('min'), 'the lower bound is not below the upper', {
        help: 'exchange `min` and `max`',
      });
      return undefined;
    }
    if ((min !== undefined && init < min) || (max !== undefined && init > max)) {
      const side = min !== undefined && init < min ? `below \`min=${min}\`` : `above \`max=${max}\``;
      this.report.add('learn-bounds', at('init'), `\`${name}\` starts at ${init}, ${side}`, {
        help: 'set `init` between the bounds',
      });
      return undefined;
    }
    return {
      kind: 'learn',
      init,
      ...(min !== undefined && { min }),
      ...(max !== undefined && { max }),
      ...(lr !== undefined && { lr }),
      ...(decay !== undefined && { decay }),
      // What is written once is one parameter, wherever a constant carries it.
      ...(share !== undefined && {
        share: { scope: share, key: `${value.span.file}:${value.span.start}` },
      }),
    };
  }

  private call(
    { word, args }: ValueNode & { kind: 'call' },
    shape: CallShape,
    name: string,
    path: string,
    spans: Map<string, Span>,
  ): unknown {
    const declared = shape.code === 'unknown-space' ? this.names.spaces : undefined;
    const own = declared?.get(word.text);
    const head = Object.hasOwn(shape.heads, word.text) ? shape.heads[word.text] : own?.head;
    if (!head) {
      if (own) return undefined;
      const article = /^[aeiou]/.test(shape.noun) ? 'an' : 'a';
      this.unknown(
        shape.code,
        word,
        name,
        [...Object.keys(shape.heads), ...(declared?.keys() ?? [])],
        `\`${word.text}\` is not ${article} ${shape.noun}`,
      );
      return undefined;
    }
    const given = this.parameters(word, head.params, args, path, spans);
    return given && { head: word.text, args: given };
  }

  private parameters(
    head: Name,
    table: Fields,
    args: ArgumentNode[],
    path: string,
    spans: Map<string, Span>,
  ): Record<string, unknown> | undefined {
    const values: Record<string, unknown> = {};
    for (const [key, { fallback }] of Object.entries(table)) values[key] = fallback;
    const known = Object.keys(table);
    const seen = new Map<string, Span>();
    let complete = true;
    const refuse = (add: () => void) => {
      add();
      complete = false;
    };
    for (const { name, value, span } of args) {
      const key = name?.text ?? known[0];
      if (!name || key === undefined) {
        refuse(() =>
          key === undefined
            ? this.report.add('no-parameters', span, `\`${head.text}\` takes no parameters`, {
                help: `write \`${head.text}\``,
              })
            : this.report.add('positional-parameter', span, 'parameters are given by name', {
                help:
                  known.length > 1
                    ? `write \`${key}=\` before it, or another of ${oneOf(known, 'and')}`
                    : `write \`${key}=\` before it`,
                ...fix(`write \`${key}=\``, { ...span, end: span.start }, `${key}=`, 'unsafe'),
              }),
        );
        if (key !== undefined) seen.set(key, span);
        continue;
      }
      const field = Object.hasOwn(table, key) ? table[key] : undefined;
      if (!field) {
        const flat = head.text === 'euclid' && ['c', 'k', 'map', 'scale'].includes(key);
        const help = flat
          ? 'remove it: a flat space has no curvature to lift to'
          : (helpFor(key, known) ?? `\`${head.text}\` takes none: remove it`);
        refuse(() =>
          this.report.add('unknown-parameter', name.span, `\`${head.text}\` has no parameter \`${key}\``, {
            help,
          }),
        );
        continue;
      }
      const first = seen.get(key);
      if (first) {
        const related = [{ span: first, message: 'first given here' }];
        refuse(() =>
          this.report.add('duplicate-parameter', name.span, `\`${key}\` is given twice`, {
            related,
            help: 'remove one of them',
          }),
        );
        continue;
      }
      seen.set(key, name.span);
      if (value.times) {
        const at = value.times.span;
        refuse(() =>
          this.report.add('bad-multiplicity', at, `\`${key}\` has one value, which cannot be repeated`, {
            help: 'remove the factor',
          }),
        );
        continue;
      }
      const lowered = this.value(value, field.shape, key, `${path}.${key}`, spans);
      if (lowered === undefined) complete = false;
      else {
        values[key] = lowered;
        spans.set(`${path}.${key}`, span);
      }
    }
    for (const [key, field] of Object.entries(table)) {
      if (field.required && !seen.has(key) && complete) {
        refuse(() =>
          this.report.add('missing-parameter', head.span, `\`${head.text}\` needs \`${key}\``, {
            help: `write \`${head.text}(${key}=…)\``,
          }),
        );
      }
    }
    return complete ? values : undefined;
  }
}
