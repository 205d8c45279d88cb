/**
 * The adapters on one input, in rank space: three kernels around the frozen product. The mathematics of a token is in
 * `../gains`; `tiles.ts` says in what shapes they come.
 */
import { source, type WgslName } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

const GAINS: WgslName[] = ['gains/layout', 'gains/spaces', 'gains/expert'];
const DROPOUT: WgslName[] = ['common/frame', 'common/site', 'common/random', 'linear/dropout'];

export const adapterForward: KernelSpec = {
  name: 'adapter.forward',
  wgsl: source(...DROPOUT, ...GAINS, 'gains/forward', 'adapter/tile', 'adapter/forward'),
  bindings: [
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
  ],
};

export const adapterBackward: KernelSpec = {
  name: 'adapter.backward',
  wgsl: source(
    'common/frame',
    ...GAINS,
    'gains/backward',
    'adapter/segments',
    'adapter/tile',
    'adapter/backward',
  ),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'dy', access: 'read' },
    { name: 'b', access: 'read' },
    { name: 'geometry', access: 'read' },
    { name: 'gram', access: 'read' },
    { name: 'inner', access: 'read' },
    { name: 'routing', access: 'read' },
    { name: 'stats', access: 'read' },
    { name: 'dz', access: 'write' },
  ],
};

export const adapterGrads: KernelSpec = {
  name: 'adapter.grads',
  wgsl: source(...DROPOUT, 'gains/layout', 'adapter/segments', 'adapter/grads', 'gains/reduce'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'site', access: 'uniform' },
    { name: 'x', access: 'read' },
    { name: 'dy', access: 'read' },
    { name: 'dz', access: 'read' },
    { name: 'inner', access: 'read' },
    { name: 'grads', access: 'read_write' },
    { name: 'gram_grad', access: 'write' },
  ],
};
