import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const optimizerNormPartial: KernelSpec = {
  name: 'optimizer.norm_partial',
  wgsl: source('common/frame', 'common/lanes', 'optimizer/norm_partial'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'grads', access: 'read' },
    { name: 'group_of_block', access: 'read' },
    { name: 'groups', access: 'read' },
    { name: 'partial', access: 'write' },
  ],
};

export const optimizerNormFinal: KernelSpec = {
  name: 'optimizer.norm_final',
  wgsl: source('common/frame', 'common/lanes', 'optimizer/norm_final'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'partial', access: 'read' },
    { name: 'control', access: 'write' },
  ],
};

export const optimizerStep: KernelSpec = {
  name: 'optimizer.step',
  wgsl: source('common/frame', 'optimizer/step'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'params', access: 'read_write' },
    { name: 'grads', access: 'read' },
    { name: 'moment1', access: 'read_write' },
    { name: 'moment2', access: 'read_write' },
    { name: 'group_of_block', access: 'read' },
    { name: 'groups', access: 'read' },
    { name: 'control', access: 'read' },
  ],
};
