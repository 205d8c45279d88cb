import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const embeddingForward: KernelSpec = {
  name: 'embedding.forward',
  wgsl: source('common/frame', 'weights/f32', 'embedding/forward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'ids', access: 'read' },
    { name: 'out', access: 'write' },
    { name: 'w', access: 'read' },
  ],
};
