import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const routingStats: KernelSpec = {
  name: 'routing.stats',
  wgsl: source('common/frame', 'routing/stats'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'routing', access: 'read' },
    { name: 'table', access: 'read' },
    { name: 'stats', access: 'write' },
  ],
};
