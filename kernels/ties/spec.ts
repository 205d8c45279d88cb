import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const tiesCopy: KernelSpec = {
  name: 'ties.copy',
  wgsl: source('common/frame', 'ties/copy'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'table', access: 'read' },
    { name: 'params', access: 'read_write' },
  ],
};

export const tiesSum: KernelSpec = {
  name: 'ties.sum',
  wgsl: source('common/frame', 'ties/sum'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'table', access: 'read' },
    { name: 'grads', access: 'read_write' },
  ],
};
