/**
 * Linear layers, frozen, with stacked low-rank adapters. `tiles.ts` says how many workgroups each kernel needs. A
 * `_tiled` variant, for hardware, has the bindings, parameters and grid of the kernel it stands in for.
 */
import { source, type WgslName } from '../source.ts';
import type { Binding, KernelSpec } from '../spec.ts';

const frame: Binding = { name: 'frame', access: 'uniform' };
const site: Binding = { name: 'site', access: 'uniform' };
const read = (...names: string[]): Binding[] => names.map(name => ({ name, access: 'read' }));

const SITE: WgslName[] = ['common/frame', 'common/site', 'common/random', 'linear/dropout'];

const forwardBindings: readonly Binding[] = [
  frame,
  site,
  ...read('x', 'w', 'bias', 's', 'b', 'residual'),
  { name: 'y', access: 'write' },
];

export const linearForward: KernelSpec = {
  name: 'linear.forward',
  wgsl: source(...SITE, 'linear/chunk', 'linear/tile', 'linear/forward_io', 'linear/forward'),
  bindings: forwardBindings,
};

export const linearForwardTiled: KernelSpec = {
  name: 'linear.forward_tiled',
  wgsl: source(...SITE, 'linear/chunk', 'linear/forward_io', 'linear/forward_tiled'),
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
  wgsl: source(...SITE, 'linear/chunk', 'linear/tile', 'linear/input_grad_io', 'linear/input_grad'),
  bindings: inputGradBindings,
};

export const linearInputGradTiled: KernelSpec = {
  name: 'linear.input_grad_tiled',
  wgsl: source(...SITE, 'linear/chunk', 'linear/input_grad_io', 'linear/input_grad_tiled'),
  bindings: inputGradBindings,
};

export const linearOutputGrad: KernelSpec = {
  name: 'linear.output_grad',
  wgsl: source('common/frame', 'linear/output_grad'),
  bindings: [frame, ...read('dy', 'b'), { name: 'h', access: 'write' }],
};

export const linearOuter: KernelSpec = {
  name: 'linear.outer',
  wgsl: source(...SITE, 'linear/outer'),
  bindings: [frame, site, ...read('a', 'b'), { name: 'out', access: 'read_write' }],
};
