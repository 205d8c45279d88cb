import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const crossEntropyRows: KernelSpec = {
  name: 'cross_entropy.rows',
  wgsl: source('common/frame', 'common/site', 'cross_entropy/rows'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'site', access: 'uniform' },
    { name: 'labels', access: 'read' },
    { name: 'logits', access: 'read_write' },
    { name: 'loss', access: 'write' },
  ],
};
