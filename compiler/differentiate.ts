/**
 * Reverse-mode differentiation: walks the graph backwards, asks every operation's adjoint rule for its contributions
 * and merges those that one kernel can compute. Nothing is emitted that no trained parameter needs: no gradient of
 * the frozen base, none below the lowest adapter.
 */
import { type Draft, type Graph, matrix, type Place, type Tape, type Term, type Value } from './graph.ts';
import { inputGradient } from './operations/linear.ts';

/**
 * Drafts of the backward program. `seeds` are gradients of final values that the forward pass has left behind,
 * `inputs` are graph inputs whose gradient is wanted too, each with the place it goes to.
 */
export function differentiate(
  graph: Graph,
  seeds: Map<Value, Value>,
  inputs = new Map<Value, Place>(),
): Draft[] {
  const { drafts, gradients } = reverse(graph, seeds, [...inputs.keys()]);
  for (const [input, place] of inputs) {
    const gradient = gradients.get(input);
    if (gradient) gradient.place = place;
  }
  return drafts;
}

/** Drafts that compute the gradients of trained parameters and of `roots`, and where the latter are. */
export function reverse(
  graph: Pick<Graph, 'operations'>,
  seeds: Map<Value, Value>,
  roots: Value[],
): { drafts: Draft[]; gradients: Map<Value, Value> } {
  const drafts: Draft[] = [];
  const wanted = dependsOnParameters(graph, roots);
  const terms = new Map<Value, Term[]>();
  for (const [value, gradient] of seeds) terms.set(value, [{ kind: 'value', value: gradient }]);
  const known = new Map<Value, Value>();
  const tape: Tape = {
    terms: value => terms.get(value) ?? [],
    wants: value => wanted.has(value),
    contribute: (value, term) => {
      if (!wanted.has(value)) throw new Error(`bug: gradient of ${value.name}, which needs none`);
      terms.set(value, [...(terms.get(value) ?? []), term]);
    },
    emit: draft => drafts.push(draft),
    gradient: value => {
      const parts = terms.get(value);
      if (!parts || parts.length === 0) return undefined;
      const done = known.get(value);
      if (done) return done;
      const gradient = materialise(value, parts, drafts);
      known.set(value, gradient);
      return gradient;
    },
  };
  for (const operation of graph.operations.toReversed()) operation.adjoint?.(tape);
  for (const root of roots) tape.gradient(root);
  return { drafts, gradients: known };
}

/** Values whose gradient some trained parameter needs. */
function dependsOnParameters(graph: Pick<Graph, 'operations'>, roots: Iterable<Value>): Set<Value> {
  const wanted = new Set<Value>(roots);
  for (const { inputs, outputs, trains } of graph.operations) {
    if (trains || inputs.some(i => wanted.has(i))) for (const output of outputs) wanted.add(output);
  }
  return wanted;
}

const of = <K extends Term['kind']>(terms: Term[], kind: K) =>
  terms.filter((t): t is Extract<Term, { kind: K }> => t.kind === kind);

/** One matrix from all contributions: each kernel takes what it can and passes its result on as the next addend. */
function materialise(value: Value, terms: Term[], drafts: Draft[]): Value {
  const values = of(terms, 'value').map(t => t.value);
  if (terms.length === 1 && values.length === 1) return values[0];
  if (values.length > 1)
    throw new Error(`bug: ${values.length} plain gradients of ${value.name} and no kernel that adds them`);
  let sum: Value | undefined = values[0];
  const fresh = () => matrix(`d ${value.name}`, value.rows, value.width, value.ld);
  const matmuls = of(terms, 'matmul');
  const lowranks = of(terms, 'lowrank');
  const radials = of(terms, 'radial');
  for (let i = 0; i < Math.max(matmuls.length, lowranks.length); i++) {
    const out = fresh();
    const lowrank = lowranks[i];
    const radial = radials.find(r => r.dz === lowrank?.dz);
    drafts.push(inputGradient(value, out, { matmul: matmuls[i], lowrank, radial, addend: sum }));
    sum = out;
  }
  if (radials.some(r => !lowranks.some(l => l.dz === r.dz)))
    throw new Error(`bug: a radial gradient of ${value.name} without its projection`);
  for (const { build } of of(terms, 'kernel')) {
    const out = fresh();
    drafts.push(build(out, sum));
    sum = out;
  }
  return sum!;
}
