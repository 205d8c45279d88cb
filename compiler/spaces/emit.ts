/**
 * WGSL of radial spaces: the module that the gains kernels are specialised with. Straight-line code, one `let` per
 * shared node; a branch not taken may compute nonsense, which `select` discards. Only the helpers used are included.
 */
import { source } from '../../kernels/source.ts';
import type { Node } from './algebra.ts';
import { RADIUS } from './evaluate.ts';
import { type Factor, fraction } from './fraction.ts';
import type { Primitive } from './primitives.ts';
import type { RadialSpace } from './radial.ts';

/** The helper of each primitive, and which component of what it returns: f(u) and (1 + |u|)·f'(u). */
const HELPERS: Record<Primitive, { file: Helper; call: string; component?: 'x' | 'y' }> = {
  exp: { file: 'exponential', call: 'exponential' },
  E: { file: 'exponential', call: 'exp_over_x', component: 'x' },
  E1: { file: 'exponential', call: 'exp_over_x', component: 'y' },
  log: { file: 'logarithm', call: 'logarithm' },
  L: { file: 'logarithm', call: 'log_over_x', component: 'x' },
  L1: { file: 'logarithm', call: 'log_over_x', component: 'y' },
  C: { file: 'sine', call: 'cosine_of_root' },
  S: { file: 'sine', call: 'sine_over_root', component: 'x' },
  S1: { file: 'sine', call: 'sine_over_root', component: 'y' },
  T: { file: 'tangent', call: 'tangent_over_root', component: 'x' },
  T1: { file: 'tangent', call: 'tangent_over_root', component: 'y' },
  A: { file: 'arcsine', call: 'arcsine_over_root', component: 'x' },
  A1: { file: 'arcsine', call: 'arcsine_over_root', component: 'y' },
  N: { file: 'arctangent', call: 'arctangent_over_root', component: 'x' },
  N1: { file: 'arctangent', call: 'arctangent_over_root', component: 'y' },
};
type Helper = 'exponential' | 'logarithm' | 'sine' | 'tangent' | 'arcsine' | 'arctangent';
const NEEDS: Partial<Record<Helper, Helper[]>> = { tangent: ['sine'] };

/** `lift` and `drop` of spaces 1, 2, …; space 0 is flat. */
export function emitSpaces(spaces: readonly RadialSpace[]): string {
  const helpers = new Set<Helper>();
  const bodies = spaces.flatMap((space, i) => [
    emitMap(space, 'lift', i + 1, helpers),
    emitMap(space, 'drop', i + 1, helpers),
  ]);
  const files = [...helpers].flatMap(file => [...(NEEDS[file] ?? []), file]);
  const texts = [...new Set(files)]
    .sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b))
    .map(file => source(`functions/${file}`));
  return [...texts, ...bodies, dispatcher('lift', spaces), dispatcher('drop', spaces)].join('\n');
}
const ORDER: Helper[] = ['exponential', 'logarithm', 'sine', 'tangent', 'arcsine', 'arctangent'];

/** Loops of one turn or none, because a software GPU runs every case of a switch. */
function dispatcher(name: 'lift' | 'drop', spaces: readonly RadialSpace[]): string {
  const cases = spaces.map(
    (space, i) =>
      `  for (var todo = space == ${i + 1}u; todo; todo = false) { radial = ${name}_${i + 1}(stored, square); }  // ${space.definition.name}\n`,
  );
  return `fn ${name}(space: u32, stored: vec4<f32>, square: f32) -> Radial {
  var radial = FLAT;
${cases.join('')}  return radial;
}
`;
}

function emitMap(space: RadialSpace, which: 'lift' | 'drop', index: number, helpers: Set<Helper>): string {
  const gains = space[which];
  const { parameters } = space.definition;
  const writer = new Writer(helpers);
  const lines: string[] = [];
  parameters.forEach(({ name, domain }, i) => {
    const stored = `stored.${'xyzw'[i]}`;
    const read = {
      positive: `exp(clamp(${stored}, -80.0, 40.0))`,
      real: `clamp(${stored}, -1e17, 1e17)`,
      unit: `1.0 / (1.0 + exp(-clamp(${stored}, -15.0, 15.0)))`,
    }[domain];
    lines.push(`let p_${name} = ${read};`);
    writer.names.set(name, `p_${name}`);
  });
  const sizes = parameters
    .filter(p => p.domain !== 'unit')
    .map(p => (p.domain === 'real' ? `abs(p_${p.name})` : `p_${p.name}`));
  const largest = sizes.reduce((all, size) => `max(${all}, ${size})`, '1.0');
  // ∂gain/∂q of a smooth gain has a limit at 0, found at a radius where the gain is what it is at 0.
  lines.push(`let q = clamp(square, ${gains.smooth ? '1e-20' : '0.0'}, LARGEST_SQUARE / ${largest});`);
  lines.push('let r = sqrt(q);');
  lines.push(gains.smooth ? 'let by_r = 1.0 / r;' : 'let by_r = select(0.0, 1.0 / r, r > 0.0);');
  const gain = writer.write(gains.gain);
  const euler = writer.write(gains.euler);
  const stored = gains.byStored.map(node => writer.write(node));
  const guarded = gains.guards.map(
    g => `${g.when === 'no' ? '!' : ''}(${writer.write(g.left)} <= ${writer.write(g.right)})`,
  );
  lines.push(...writer.lines);
  const bySquare = euler === '0.0' ? '0.0' : `0.5 * ${euler} * ((1.0 + q) * by_r * by_r)`;
  const vector = `vec4<f32>(${[0, 1, 2, 3].map(i => stored[i] ?? '0.0').join(', ')})`;
  lines.push(`return Radial(${gain}, ${bySquare}, ${vector}, ${guarded.join(' || ') || 'false'});`);
  return `fn ${which}_${index}(stored: vec4<f32>, square: f32) -> Radial {\n${lines.map(l => `  ${l}\n`).join('')}}\n`;
}

/** A number as an f32 literal; too large for f32 is the largest that is left. */
export function literal(value: number): string {
  if (Number.isNaN(value)) throw new Error('bug: a number in a space is none');
  const rounded = Math.fround(value);
  const text = shortest(Number.isFinite(rounded) ? rounded : Math.sign(value) * 3.4e38);
  return /[.e]/.test(text) ? `${text}${text.includes('e') ? 'f' : ''}` : `${text}.0`;
}

/** The fewest digits that are read back as the same f32. */
function shortest(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(value);
}

class Writer {
  readonly lines: string[] = [];
  readonly names = new Map<string, string>([[RADIUS, 'r']]);
  private readonly written = new Map<Node, string>();
  private readonly pairs = new Map<string, string>();
  private readonly helpers: Set<Helper>;

  constructor(helpers: Set<Helper>) {
    this.helpers = helpers;
  }

  /** The name or literal that stands for a node, its lines written. */
  write(node: Node): string {
    const known = this.written.get(node);
    if (known) return known;
    const text = this.expression(node);
    const name = /^[\w.-]+$/.test(text) ? text : this.fresh(text);
    this.written.set(node, name);
    return name;
  }

  private fresh(text: string): string {
    const name = `t${this.lines.length}`;
    this.lines.push(`let ${name} = ${text};`);
    return name;
  }

  private expression(node: Node): string {
    switch (node.op) {
      case 'num':
        return literal(node.value);
      case 'var':
        return this.names.get(node.name)!;
      case 'sum':
        return this.sum(node);
      case 'product':
        return this.product(node);
      case 'call':
        return this.call(node);
      case 'select':
        return `select(${this.write(node.no)}, ${this.write(node.yes)}, ${this.write(node.left)} <= ${this.write(node.right)})`;
      default:
        return node satisfies never;
    }
  }

  private sum({ constant, terms }: Node & { op: 'sum' }): string {
    let text = constant === 0 ? '' : literal(constant);
    for (const { factor, node } of terms) {
      const size = Math.abs(factor);
      const term = size === 1 ? this.write(node) : `${literal(size)} * ${this.write(node)}`;
      if (text === '') text = factor < 0 ? `-${term.includes(' ') ? `(${term})` : term}` : term;
      else text += factor < 0 ? ` - ${term}` : ` + ${term}`;
    }
    return text;
  }

  private product({ powers }: Node & { op: 'product' }): string {
    const { above, below } = fraction(powers, RADIUS);
    const texts = [above, below].map(side => side.map(factor => this.factor(factor)));
    // The reciprocal of the radius is a name of its own, which is 0 at 0.
    const [up, down] = [[...texts[0]], texts[1].filter(text => text !== 'r')];
    for (let i = down.length; i < texts[1].length; i++) up.push('by_r');
    let text = up[0] ?? '1.0';
    for (let i = 1; i < up.length || i - 1 < down.length; i++) {
      if (i - 1 < down.length) text = `${text} / ${down[i - 1]}`;
      if (i < up.length) text = `${text} * ${up[i]}`;
    }
    return text;
  }

  private factor(factor: Factor): string {
    switch (factor.kind) {
      case 'spread':
        return this.spread(factor.node);
      case 'slope':
        return this.pair(factor.node);
      case 'whole':
        return this.write(factor.node);
      case 'square':
        return 'q';
      case 'part': {
        const name = this.write(factor.node);
        if (factor.exponent === 0.5) return this.named(`sqrt(${name})`);
        this.helpers.add('exponential').add('logarithm');
        return this.named(`exponential(${literal(factor.exponent)} * logarithm(${name}))`);
      }
      default:
        return factor satisfies never;
    }
  }

  private call(node: Node & { op: 'call' }): string {
    const { file, call, component } = HELPERS[node.name];
    if (component === 'y') return `${this.pair(node)} / ${this.spread(node.arg)}`;
    if (component === 'x') return this.pair(node);
    this.helpers.add(file);
    return `${call}(${this.write(node.arg)})`;
  }

  private pair({ name, arg }: Node & { op: 'call' }): string {
    const { file, call, component } = HELPERS[name];
    this.helpers.add(file);
    return `${this.named(`${call}(${this.write(arg)})`)}.${component}`;
  }

  /** What derivatives come multiplied with, so that they do not underflow. */
  private spread(arg: Node): string {
    return this.named(`1.0 + abs(${this.write(arg)})`);
  }

  /** One call for what several nodes need of it. */
  private named(text: string): string {
    const known = this.pairs.get(text);
    if (known) return known;
    const name = this.fresh(text);
    this.pairs.set(text, name);
    return name;
  }
}
