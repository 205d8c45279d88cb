/**
 * `sweep < … >`: lists of values for fields of other blocks; their product is a set of programs. A combination is
 * written into a copy of the syntax tree and checked like any file, so a value means, and is refused for, exactly what
 * it would be in the block itself.
 */
import type { BlockNode, FieldNode } from './ast.ts';
import { Report } from './diagnostics/report.ts';
import { meaningOf } from './meaning.ts';
import type { Names } from './names.ts';
import type { Program, Span } from './program.ts';
import { type Axis, readAxis, type Texts } from './sweep-axis.ts';
import { nameOf, uniqueName } from './sweep-names.ts';
import { put } from './sweep-place.ts';

/** One value of one swept field, as it was written. */
export interface Setting {
  /** `seed`, `train.lr`, `experts.c` */
  field: string;
  value: string;
}

/** One program of a sweep. */
export interface Variant {
  /** `experts=hyperbolic+euclid,seed=2`: unique in the file, whatever the case of letters, and safe as a file name. */
  name: string;
  /** The sweep's own name, if it has one. */
  sweep?: string;
  settings: Setting[];
  program: Program;
}

/** More than this is no experiment but a slip. */
export const MAX_VARIANTS = 1000;

/** Checks a set of blocks; what it has to say goes into `report`. */
export type CheckBlocks = (blocks: BlockNode[], report: Report) => Program;

export function expandSweeps(
  blocks: BlockNode[],
  names: Names,
  texts: Texts,
  report: Report,
  check: CheckBlocks,
): Variant[] {
  const sweeps = blocks.filter(({ keyword }) => keyword.text === 'sweep');
  const rest = blocks.filter(({ keyword }) => keyword.text !== 'sweep');
  const told = new Set(report.list.map(keyOf));
  /** What is wrong with the text is known; a fresh report starts with it, so that nothing is missed twice. */
  const known = [...report.list];
  const taken = new Set<string>();
  const labels = new Map<string, Span>();
  const variants: Variant[] = [];
  let total = 0;
  for (const sweep of sweeps) {
    uniqueLabel(sweep, labels, report);
    const axes = axesOf(sweep, rest, names, texts, report);
    if (!axes) continue;
    const size = axes.reduce((product, { choices }) => product * choices.length, 1);
    total += size;
    if (total > MAX_VARIANTS) {
      tooMany(sweep, axes, total, report);
      break;
    }
    if (size === 1 && !report.failed) {
      report.add('sweep-of-one', sweep.keyword.span, 'this sweep is a single program', {
        help: `give \`${axes[0]?.field}\` more values, or write its value in the block itself`,
      });
    }
    const label = sweep.label?.text;
    const programs = new Map<string, string>();
    const equal: string[] = [];
    for (const chosen of product(axes)) {
      const settings = chosen.map(({ axis, choice }) => ({ field: axis.field, value: choice.text }));
      const name = uniqueName(nameOf(label, settings), taken);
      // Whole fields first, then parameters inside them.
      const ordered = chosen.toSorted(
        (a, b) => Number(a.axis.place.param !== undefined) - Number(b.axis.place.param !== undefined),
      );
      let changed = rest;
      for (const { axis, choice } of ordered) changed = put(changed, axis.place, choice, names);
      const own = new Report();
      own.list.push(...known);
      const program = check(changed, own);
      tell(own, known.length, sweep.span, name, told, report);
      const key = meaningOf(program);
      const first = programs.get(key);
      if (first !== undefined) equal.push(`\`${name}\` is \`${first}\``);
      else {
        programs.set(key, name);
        variants.push({ name, ...(label !== undefined && { sweep: label }), settings, program });
      }
    }
    if (equal.length > 0 && !report.failed) sayEqual(sweep, equal, size, report);
  }
  return variants;
}

const keyOf = ({ code, span, message }: Report['list'][number]): string =>
  JSON.stringify([code, span?.file, span?.start, span?.end, message]);

/** Passes on what a variant has to say that was not said before, with its name. */
function tell(own: Report, from: number, sweep: Span, name: string, told: Set<string>, report: Report): void {
  for (const diagnostic of own.list.slice(from)) {
    const { code, severity, span } = diagnostic;
    const inside = span?.file === sweep.file && span.start >= sweep.start && span.end <= sweep.end;
    // That one expert needs no router is no mistake where another variant has two.
    if (severity !== 'error' && (!inside || code === 'router-without-choice')) continue;
    const key = keyOf(diagnostic);
    if (told.has(key)) continue;
    told.add(key);
    const notes = [...(diagnostic.notes ?? []), `in the variant \`${name}\``];
    report.list.push({ ...diagnostic, notes });
  }
}

function uniqueLabel(sweep: BlockNode, labels: Map<string, Span>, report: Report): void {
  const name = sweep.label?.text ?? 'sweep';
  const place = sweep.label?.span ?? sweep.keyword.span;
  const earlier = labels.get(name);
  if (earlier) {
    report.add('duplicate-name', place, `two sweeps are called \`${name}\``, {
      related: [{ span: earlier, message: 'the first is here' }],
      help: sweep.label ? 'give one of them another name' : 'name them: `sweep seeds: < seed: [1, 2, 3] >`',
    });
  } else labels.set(name, place);
}

/** The sweep's lists; undefined if there is none to go through. */
function axesOf(
  sweep: BlockNode,
  rest: BlockNode[],
  names: Names,
  texts: Texts,
  report: Report,
): Axis[] | undefined {
  const seen = new Map<string, FieldNode>();
  const axes: Axis[] = [];
  let failed = sweep.damaged;
  for (const field of sweep.fields) {
    const first = seen.get(field.name.text);
    if (first) {
      report.add('duplicate-field', field.name.span, `\`${field.name.text}\` is given twice`, {
        related: [{ span: first.name.span, message: 'first given here' }],
        help: 'join the two lists',
      });
      continue;
    }
    seen.set(field.name.text, field);
    const axis = field.damaged ? undefined : readAxis(field, rest, names, texts, report);
    if (axis) axes.push(axis);
    else failed = true;
  }
  if (axes.length === 0 && !failed) {
    report.add('empty-sweep', sweep.keyword.span, 'this sweep goes through nothing', {
      help: 'write a list of values: `sweep < seed: [1, 2, 3] >`',
    });
  }
  return axes.length > 0 ? axes : undefined;
}

interface Chosen {
  axis: Axis;
  choice: Axis['choices'][number];
}

/** Every combination; the last list runs fastest. */
function* product(axes: Axis[]): Generator<Chosen[]> {
  const [axis, ...rest] = axes;
  if (!axis) {
    yield [];
    return;
  }
  for (const choice of axis.choices) for (const others of product(rest)) yield [{ axis, choice }, ...others];
}

function tooMany(sweep: BlockNode, axes: Axis[], total: number, report: Report): void {
  const longest = axes.toSorted((a, b) => b.choices.length - a.choices.length)[0];
  const sizes = axes.map(({ field, choices }) => `\`${field}\` ${choices.length}`).join(', ');
  report.add(
    'too-many-variants',
    sweep.keyword.span,
    `this sweep brings the file to ${total} programs, and ${MAX_VARIANTS} are the most`,
    {
      notes: [`values: ${sizes}`],
      help: `shorten \`${longest?.field}\`, or sweep over one thing at a time in sweeps with names`,
    },
  );
}

const SHOWN = 4;

function sayEqual(sweep: BlockNode, equal: string[], size: number, report: Report): void {
  const more = equal.length > SHOWN ? [`and ${equal.length - SHOWN} more`] : [];
  const them = `combinations ${equal.length === 1 ? 'is' : 'are'} the same program as another`;
  report.add('equal-variants', sweep.keyword.span, `${equal.length} of ${size} ${them}, and left out`, {
    notes: [...equal.slice(0, SHOWN), ...more],
  });
}
