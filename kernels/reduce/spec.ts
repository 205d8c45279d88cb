import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const reduceSum: KernelSpec = {
  name: 'reduce.sum',
  wgsl: source('common/frame', 'common/lanes', 'reduce/sum'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'x', access: 'read' },
    { name: 'out', access: 'read_write' },
  ],
};
