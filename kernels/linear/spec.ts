/**
 * Linear layers, frozen, with stacked low-rank adapters. `tiles.ts` says how many workgroups each kernel needs.
 *
 * Variants have the bindings and parameters of the kernel they stand in for: `_quads` is for processors that run four
 * invocations as one, `_tiled` for hardware, `_matrix` for hardware with matrix units of f16, `forward_few` for programs of
 * a few rows, such as decoding.
 *
 * Those that read w are written for f32; `withStorage` (kernels/weights) gives them for other storages.
 *
 * Parameters SEG_* describe the modules of a stack (forward_io.wgsl); SEGMENTS is their number.
 */
import { source, type WgslName } from '../source.ts';
import type { Binding, KernelSpec } from '../spec.ts';

const frame: Binding = { name: 'frame', access: 'uniform' };
const site: Binding = { name: 'site', access: 'uniform' };
const read = (...names: string[]): Binding[] => names.map(name => ({ name, access: 'read' }));

const SITE: WgslName[] = ['common/frame', 'common/site', 'linear/chunk'];
const DROPOUT: WgslName[] = ['common/random', 'linear/dropout'];

const forwardBindings: readonly Binding[] = [
  frame,
  site,
  ...read('x', 'w', 'bias', 's', 'b', 'residual'),
  { name: 'y', access: 'write' },
];

export const linearForward: KernelSpec = {
  name: 'linear.forward',
  wgsl: source(...SITE, 'linear/tile', 'weights/f32', 'linear/forward_io', 'linear/forward'),
  bindings: forwardBindings,
};

export const linearForwardQuads: KernelSpec = {
  name: 'linear.forward_quads',
  wgsl: source('linear/quad_tile', ...SITE, 'weights/f32', 'linear/forward_io', 'linear/forward_quads'),
  bindings: forwardBindings,
};

export const linearForwardTiled: KernelSpec = {
  name: 'linear.forward_tiled',
  wgsl: source(...SITE, 'weights/f32', 'linear/forward_io', 'linear/forward_tiled'),
  bindings: forwardBindings,
};

export const linearForwardFew: KernelSpec = {
  name: 'linear.forward_few',
  wgsl: source('linear/few_alone', ...SITE, 'weights/f32', 'linear/forward_io', 'linear/forward_few'),
  bindings: forwardBindings,
};

export const linearForwardFewQuads: KernelSpec = {
  name: 'linear.forward_few_quads',
  wgsl: source('linear/few_quads', ...SITE, 'weights/f32', 'linear/forward_io', 'linear/forward_few'),
  bindings: forwardBindings,
};

export const linearForwardMatrix: KernelSpec = {
  name: 'linear.forward_matrix',
  wgsl: source(
    'linear/matrix_units',
    ...SITE,
    'linear/matrix_tile',
    'weights/f32',
    'linear/forward_io',
    'linear/forward_matrix',
  ),
  bindings: forwardBindings,
};

const inputGradBindings: readonly Binding[] = [
  frame,
  site,
  ...read('dy', 'w', 'dz', 'a', 'x', 'addend'),
  { name: 'dx', access: 'write' },
];

export const linearInputGrad: KernelSpec = {
  name: 'linear.input_grad',
  wgsl: source(
    ...SITE,
    ...DROPOUT,
    'linear/tile',
    'weights/f32',
    'linear/input_grad_io',
    'linear/input_grad',
  ),
  bindings: inputGradBindings,
};

export const linearInputGradQuads: KernelSpec = {
  name: 'linear.input_grad_quads',
  wgsl: source(
    'linear/quad_tile',
    ...SITE,
    ...DROPOUT,
    'weights/f32',
    'linear/input_grad_io',
    'linear/input_grad_quads',
  ),
  bindings: inputGradBindings,
};

export const linearInputGradTiled: KernelSpec = {
  name: 'linear.input_grad_tiled',
  wgsl: source(
    ...SITE,
    ...DROPOUT,
    'linear/staged_rows',
    'weights/f32',
    'linear/input_grad_io',
    'linear/input_grad_tiled',
  ),
  bindings: inputGradBindings,
};

export const linearInputGradMatrix: KernelSpec = {
  name: 'linear.input_grad_matrix',
  wgsl: source(
    'linear/matrix_units',
    ...SITE,
    ...DROPOUT,
    'linear/matrix_tile',
    'weights/f32',
    'linear/input_grad_io',
    'linear/input_grad_matrix',
  ),
  bindings: inputGradBindings,
};
