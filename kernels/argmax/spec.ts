import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const argmaxRows: KernelSpec = {
  name: 'argmax.rows',
  wgsl: source('common/frame', 'argmax/rows'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'logits', access: 'read' },
    { name: 'out', access: 'write' },
  ],
};
