/** One field of a sweep → the values it goes through: a list, a range of whole numbers, or `subsets(…)`. */
import type { BlockNode, FieldNode, ValueNode } from './ast.ts';
import { describe } from './describe.ts';
import { fix, type Report } from './diagnostics/report.ts';
import { helpFor } from './diagnostics/suggest.ts';
import type { Names } from './names.ts';
import type { Span } from './program.ts';
import { type Choice, findPlace, type Place, takesSeveral } from './sweep-place.ts';

/** Every text that was read, by path: values are shown as they were written. */
export type Texts = ReadonlyMap<string, string>;

export interface Axis {
  /** As written: `seed`, `train.lr`, `experts.c`. */
  field: string;
  place: Place;
  choices: Choice[];
}

/** Ranges and subsets of more than this are refused unexpanded. */
const MOST = 1000;
const MAX_SUBSET_ITEMS = 9;

export function readAxis(
  field: FieldNode,
  blocks: BlockNode[],
  names: Names,
  texts: Texts,
  report: Report,
): Axis | undefined {
  const place = findPlace(field.name, blocks, names, report);
  if (!place) return undefined;
  const reader = new Reader(field, place, names, texts, report);
  const choices = reader.choices();
  return choices && { field: field.name.text, place, choices };
}

class Reader {
  private readonly field: FieldNode;
  private readonly place: Place;
  private readonly names: Names;
  private readonly texts: Texts;
  private readonly report: Report;

  constructor(field: FieldNode, place: Place, names: Names, texts: Texts, report: Report) {
    this.field = field;
    this.place = place;
    this.names = names;
    this.texts = texts;
    this.report = report;
  }

  choices(): Choice[] | undefined {
    const { name, values } = this.field;
    const [written] = values;
    if (!written) return undefined;
    const value = values.length === 1 ? this.names.resolve(written) : undefined;
    if (values.length === 1 && (!value || value.kind === 'broken')) return undefined;
    if (value?.kind === 'call' && value.word.text === 'subsets') return this.subsets(value);
    if (value?.kind === 'range' && this.place.field !== 'layers') return this.range(value);
    if (value?.kind !== 'list') {
      this.noList(values);
      return undefined;
    }
    if (value.items.length === 0) {
      this.report.add('empty-sweep', value.span, `the list of \`${name.text}\` is empty`, {
        help: 'write the values it goes through',
      });
      return undefined;
    }
    const choices = value.items.map(item => this.choice(item));
    if (choices.some(choice => !choice)) return undefined;
    return this.distinct(choices as Choice[]);
  }

  private noList(values: ValueNode[]): void {
    const span = { ...values[0]!.span, end: values.at(-1)!.span.end };
    const text = `[${values.map(value => this.text(value)).join(', ')}]`;
    const what = values.length > 1 ? 'several values' : describe(values[0]!);
    this.report.add(
      'wrong-value',
      span,
      `a sweep over \`${this.field.name.text}\` takes a list, not ${what}`,
      {
        help: `write \`${text}\``,
        ...fix('put it in brackets', span, text, 'unsafe'),
      },
    );
  }

  /** As written, without comments and line ends. */
  private text({ span, times }: ValueNode): string {
    const text = this.texts.get(span.file)?.slice(span.start, times?.span.end ?? span.end) ?? '';
    return text
      .replace(/\/\/[^\r\n]*|\/\*[\s\S]*?\*\//g, ' ')
      .replace(/\s+/g, ' ')
      .trim();
  }

  private choice(item: ValueNode): Choice | undefined {
    const several = takesSeveral(this.place);
    const value = item.kind === 'constant' ? this.names.resolve(item) : item;
    if (!value || value.kind === 'broken') return undefined;
    const list = several && value.kind === 'list';
    if (list && (value.times || item.times)) {
      const { span } = (item.times ?? value.times)!;
      this.report.add('bad-multiplicity', span, 'a list cannot be repeated', {
        help: 'write the factor behind its items',
      });
      return undefined;
    }
    if (list && value.items.length === 0) {
      this.report.add('wrong-value', item.span, `\`${this.field.name.text}\` cannot be empty`, {
        help: 'write a value in it',
      });
      return undefined;
    }
    const values = list ? value.items : [item];
    if (this.place.header && !this.fitsHeader(values)) return undefined;
    if (values.some(({ kind }) => kind === 'broken')) return undefined;
    const text =
      list && item.kind === 'list' ? values.map(value => this.text(value)).join(', ') : this.text(item);
    return { values, text, span: item.span };
  }

  /** The header's parts are in no vocabulary table. */
  private fitsHeader(values: ValueNode[]): boolean {
    const { field, owner } = this.place;
    const takes =
      field === 'layers' ? 'layers' : field === 'targets' ? 'modules or globs in quotes' : 'a path in quotes';
    for (const value of values) {
      const resolved = this.names.resolve(value);
      if (!resolved || resolved.kind === 'broken') return false;
      const word = owner === 'adapter' && resolved.kind === 'call' && !resolved.parenthesised;
      const fits =
        field === 'layers' ? ['number', 'range'].includes(resolved.kind) : resolved.kind === 'string' || word;
      if (fits) continue;
      this.report.add(
        'wrong-value',
        value.span,
        `\`${this.field.name.text}\` takes ${takes}, not ${describe(resolved)}`,
        {
          help: `write ${takes}`,
        },
      );
      return false;
    }
    return true;
  }

  private range(value: ValueNode & { kind: 'range' }): Choice[] | undefined {
    const { first, last, span } = value;
    const whole = [first, last].every(q => q.dimension === 'none' && Number.isSafeInteger(q.value));
    if (!whole || last.value < first.value) {
      this.report.add('wrong-value', span, 'a range in a sweep is of whole numbers and runs upwards', {
        help: 'write it as a list: `[1, 2, 3]`',
      });
      return undefined;
    }
    const count = last.value - first.value + 1;
    if (count > MOST) {
      this.report.add('too-many-variants', span, `this range has ${count} values, and ${MOST} are the most`, {
        help: 'shorten it',
      });
      return undefined;
    }
    return Array.from({ length: count }, (_, i) => {
      const number = first.value + i;
      const node: ValueNode = { kind: 'number', quantity: { value: number, dimension: 'none' }, span };
      return { values: [node], text: String(number), span };
    });
  }

  /** `subsets(a, b, c)`: every choice of some of them, small ones first; `size=2` or `size=2..3` limits how many. */
  private subsets(value: ValueNode & { kind: 'call' }): Choice[] | undefined {
    const { args, word, span } = value;
    const fail = (place: Span, message: string, help: string): undefined =>
      void this.report.add('wrong-value', place, message, { help });
    if (!takesSeveral(this.place))
      return fail(
        word.span,
        `\`${this.field.name.text}\` has one value, which has no subsets`,
        'write a list',
      );
    const items = args.filter(({ name }) => !name).map(arg => arg.value);
    let [least, most] = [1, items.length];
    for (const { name, value: given } of args) {
      if (!name) continue;
      if (name.text !== 'size') {
        const help = helpFor(name.text, ['size']) ?? 'remove it';
        this.report.add('unknown-parameter', name.span, `\`subsets\` has no parameter \`${name.text}\``, {
          help,
        });
        return undefined;
      }
      const size =
        given.kind === 'number'
          ? [given.quantity, given.quantity]
          : given.kind === 'range'
            ? [given.first, given.last]
            : [];
      const numbers = size.map(quantity => (quantity.dimension === 'none' ? quantity.value : Number.NaN));
      least = numbers[0] ?? Number.NaN;
      most = numbers[1] ?? Number.NaN;
      const possible =
        Number.isInteger(least) &&
        Number.isInteger(most) &&
        least >= 1 &&
        most >= least &&
        most <= items.length;
      if (!possible)
        return fail(
          given.span,
          `\`size\` takes a number or range from 1 to ${items.length}`,
          'write how many are taken at once',
        );
    }
    if (items.length < 2)
      return fail(span, '`subsets` needs two values or more', 'write them in the parentheses');
    if (items.length > MAX_SUBSET_ITEMS) {
      this.report.add('too-many-variants', span, `${items.length} values have more than ${MOST} subsets`, {
        help: `take at most ${MAX_SUBSET_ITEMS}, or write the list`,
      });
      return undefined;
    }
    if (this.place.header && !this.fitsHeader(items)) return undefined;
    const choices: Choice[] = [];
    const pick = (from: number, chosen: ValueNode[], size: number): void => {
      if (chosen.length === size) {
        const text = chosen.map(one => this.text(one)).join(', ');
        choices.push({ values: chosen, text, span: chosen[0]?.span ?? span });
        return;
      }
      for (let i = from; i < items.length; i++) pick(i + 1, [...chosen, items[i]!], size);
    };
    for (let size = least; size <= most; size++) pick(0, [], size);
    return this.distinct(choices);
  }

  private distinct(choices: Choice[]): Choice[] | undefined {
    const seen = new Map<string, Span>();
    for (const { text, span } of choices) {
      const key = text.replace(/\s+/g, '');
      const first = seen.get(key);
      if (first) {
        this.report.add('repeated-value', span, `\`${text}\` is in the list twice`, {
          related: [{ span: first, message: 'first given here' }],
          help: 'remove one of them',
        });
        return undefined;
      }
      seen.set(key, span);
    }
    return choices;
  }
}
