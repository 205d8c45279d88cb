import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const rmsnormForward: KernelSpec = {
  name: 'rmsnorm.forward',
  wgsl: source('common/frame', 'common/lanes', 'rmsnorm/forward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'x', access: 'read' },
    { name: 'weight', access: 'read' },
    { name: 'residual', access: 'read' },
    { name: 'out', access: 'write' },
    { name: 'inv_rms', access: 'write' },
  ],
};

export const rmsnormBackward: KernelSpec = {
  name: 'rmsnorm.backward',
  wgsl: source('common/frame', 'common/lanes', 'rmsnorm/backward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'x', access: 'read' },
    { name: 'weight', access: 'read' },
    { name: 'inv_rms', access: 'read' },
    { name: 'dy', access: 'read' },
    { name: 'addend', access: 'read' },
    { name: 'dx', access: 'write' },
  ],
};
