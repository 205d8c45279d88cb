import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const radiusForward: KernelSpec = {
  name: 'radius.forward',
  wgsl: source('common/frame', 'common/lanes', 'radius/forward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'x', access: 'read' },
    { name: 'radius', access: 'write' },
  ],
};
