import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const embeddingForward: KernelSpec = {
  name: 'embedding.forward',
  wgsl: source('common/frame', 'embedding/forward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'ids', access: 'read' },
    { name: 'table', access: 'read' },
    { name: 'out', access: 'write' },
  ],
};
