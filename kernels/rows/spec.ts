import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const rowsGather: KernelSpec = {
  name: 'rows.gather',
  wgsl: source('common/frame', 'rows/gather'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'index', access: 'read' },
    { name: 'x', access: 'read' },
    { name: 'out', access: 'write' },
  ],
};
