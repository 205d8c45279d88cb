/**
 * The adapters on one input, in rank space: three kernels around the frozen product. The mathematics of a token is in
 * `../gains`; `tiles.ts` says in what shapes they come.
 */
import { source, type WgslName } from '../source.ts';
import type { Binding, KernelSpec } from '../spec.ts';

const GAINS: WgslName[] = ['gains/layout', 'gains/spaces', 'gains/expert'];
type Rows = 'adapter/alone' | 'adapter/quads';
const DROPOUT: WgslName[] = ['common/frame', 'common/site', 'common/random', 'linear/dropout'];

const forwardBindings: readonly Binding[] = [
  { name: 'frame', access: 'uniform' },
  { name: 'site', access: 'uniform' },
  { name: 'x', access: 'read' },
  { name: 'a', access: 'read' },
  { name: 'geometry', access: 'read' },
  { name: 'gram', access: 'read' },
  { name: 'slot_scale', access: 'read' },
  { name: 'row_of', access: 'read' },
  { name: 'inner', access: 'write' },
  { name: 'routing', access: 'write' },
];

const backwardBindings: readonly Binding[] = [
  { name: 'frame', access: 'uniform' },
  { name: 'dy', access: 'read' },
  { name: 'b', access: 'read' },
  { name: 'geometry', access: 'read' },
  { name: 'gram', access: 'read' },
  { name: 'inner', access: 'read' },
  { name: 'routing', access: 'read' },
  { name: 'stats', access: 'read' },
  { name: 'dz', access: 'write' },
];

const gradsBindings: readonly Binding[] = [
  { name: 'frame', access: 'uniform' },
  { name: 'site', access: 'uniform' },
  { name: 'x', access: 'read' },
  { name: 'dy', access: 'read' },
  { name: 'dz', access: 'read' },
  { name: 'inner', access: 'read' },
  { name: 'grads', access: 'read_write' },
  { name: 'gram_grad', access: 'write' },
];

/** `rows`: who loads the rows that are multiplied. */
const forward = (name: string, rows: Rows): KernelSpec => ({
  name,
  wgsl: source(rows, ...DROPOUT, ...GAINS, 'gains/forward', 'adapter/tile', 'adapter/forward'),
  bindings: forwardBindings,
});
const backward = (name: string, rows: Rows): KernelSpec => ({
  name,
  wgsl: source(
    rows,
    'common/frame',
    ...GAINS,
    'gains/backward',
    'adapter/segments',
    'adapter/tile',
    'adapter/backward',
  ),
  bindings: backwardBindings,
});
const grads = (name: string, rows: 'adapter/grads_alone' | 'adapter/grads_quads'): KernelSpec => ({
  name,
  wgsl: source(rows, ...DROPOUT, 'gains/layout', 'adapter/segments', 'adapter/grads', 'gains/reduce'),
  bindings: gradsBindings,
});

export const adapterForward = forward('adapter.forward', 'adapter/alone');
export const adapterForwardQuads = forward('adapter.forward_quads', 'adapter/quads');
export const adapterBackward = backward('adapter.backward', 'adapter/alone');
export const adapterBackwardQuads = backward('adapter.backward_quads', 'adapter/quads');
export const adapterGrads = grads('adapter.grads', 'adapter/grads_alone');
export const adapterGradsQuads = grads('adapter.grads_quads', 'adapter/grads_quads');
