/**
 * Activation checkpointing: between the forward and the backward pass only the input of every layer is kept. The backward
 * pass runs each layer again from there, by the same kernels with the same parameters, so that every number is the same
 * to the bit: what is random depends on counters only.
 */
import { reverse } from './differentiate.ts';
import type { Draft, Graph, Place, Value } from './graph.ts';
import type { Trunk } from './lower.ts';
import type { ModelShape } from './plan/model.ts';

/** Index of the first layer that has an adapter; nothing below it needs a gradient. */
export function lowestAdapted(shape: ModelShape, placements: ReadonlyMap<string, unknown>): number {
  const adapted = shape.layers.findIndex(l =>
    [l.q, l.k, l.v, l.o, l.gate, l.up, l.down].some(({ path }) => placements.has(path)),
  );
  return adapted < 0 ? shape.layers.length : adapted;
}

/** The backward program with every layer from `lowest` up computed again. */
export function differentiateLayers(
  graph: Graph,
  trunk: Trunk,
  seeds: Map<Value, Value>,
  lowest: number,
): Draft[] {
  const top = { operations: graph.operations.slice(trunk.operations) };
  const head = reverse(top, seeds, [trunk.output]);
  const drafts = head.drafts;
  let gradient = head.gradients.get(trunk.output);
  for (let i = trunk.inputs.length - 1; i >= lowest && gradient; i--) {
    const layer = trunk.rebuild(i);
    const input = trunk.inputs[i];
    const back = reverse(layer.graph, new Map([[layer.output, gradient]]), i > lowest ? [input] : []);
    drafts.push(...readBy(back.drafts, layer.graph.drafts()), ...back.drafts);
    gradient = back.gradients.get(input);
  }
  return drafts;
}

/** Those of `before` that compute what `after` reads; the rest of the layer has done its work in the forward pass. */
function readBy(after: Draft[], before: Draft[]): Draft[] {
  const needed = new Set<Value | Place>();
  const touched = ({ spec, bindings }: Draft, writes: boolean) =>
    spec.bindings.flatMap(({ name, access }) => {
      const bound = bindings[name];
      const writing = access === 'write' || access === 'read_write';
      return bound && writing === writes ? [bound] : [];
    });
  for (const draft of after) for (const read of touched(draft, false)) needed.add(read);
  const kept: Draft[] = [];
  for (const draft of before.toReversed()) {
    if (!touched(draft, true).some(written => needed.has(written))) continue;
    for (const read of touched(draft, false)) needed.add(read);
    kept.unshift(draft);
  }
  return kept;
}
