/** `_shared`: a workgroup shares a row, for hardware; the others give an invocation a row of its own. */
import { source } from '../source.ts';
import type { Binding, KernelSpec } from '../spec.ts';

/** Rows of a workgroup. */
export const RMSNORM_ROWS = { alone: 4, shared: 1 } as const;

const forward: readonly Binding[] = [
  { name: 'frame', access: 'uniform' },
  { name: 'x', access: 'read' },
  { name: 'weight', access: 'read' },
  { name: 'residual', access: 'read' },
  { name: 'out', access: 'write' },
  { name: 'inv_rms', access: 'write' },
];

export const rmsnormForward: KernelSpec = {
  name: 'rmsnorm.forward',
  wgsl: source('common/frame', 'rmsnorm/alone', 'rmsnorm/forward'),
  bindings: forward,
};

export const rmsnormForwardShared: KernelSpec = {
  name: 'rmsnorm.forward_shared',
  wgsl: source('common/frame', 'common/lanes', 'rmsnorm/shared', 'rmsnorm/forward'),
  bindings: forward,
};

const backward: readonly Binding[] = [
  { name: 'frame', access: 'uniform' },
  { name: 'x', access: 'read' },
  { name: 'weight', access: 'read' },
  { name: 'inv_rms', access: 'read' },
  { name: 'dy', access: 'read' },
  { name: 'addend', access: 'read' },
  { name: 'dx', access: 'write' },
];

export const rmsnormBackward: KernelSpec = {
  name: 'rmsnorm.backward',
  wgsl: source('common/frame', 'rmsnorm/alone', 'rmsnorm/backward'),
  bindings: backward,
};

export const rmsnormBackwardShared: KernelSpec = {
  name: 'rmsnorm.backward_shared',
  wgsl: source('common/frame', 'common/lanes', 'rmsnorm/shared', 'rmsnorm/backward'),
  bindings: backward,
};
