import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const gainsForward: KernelSpec = {
  name: 'gains.forward',
  wgsl: source(
    'common/frame',
    'common/site',
    'common/random',
    'gains/layout',
    'gains/spaces',
    'gains/expert',
    'gains/forward',
  ),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'site', access: 'uniform' },
    { name: 'z', access: 'read' },
    { name: 'radius', access: 'read' },
    { name: 'gram', access: 'read' },
    { name: 'geometry', access: 'read' },
    { name: 'slot_scale', access: 'read' },
    { name: 'row_of', access: 'read' },
    { name: 's', access: 'write' },
    { name: 'routing', access: 'write' },
  ],
};

export const gainsBackward: KernelSpec = {
  name: 'gains.backward',
  wgsl: source('common/frame', 'gains/layout', 'gains/spaces', 'gains/expert', 'gains/backward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'z', access: 'read' },
    { name: 'radius', access: 'read' },
    { name: 'gram', access: 'read' },
    { name: 'geometry', access: 'read' },
    { name: 'h', access: 'read' },
    { name: 'routing', access: 'read' },
    { name: 'stats', access: 'read' },
    { name: 'dz', access: 'write' },
  ],
};

export const gainsReduce: KernelSpec = {
  name: 'gains.reduce',
  wgsl: source('common/frame', 'gains/layout', 'gains/reduce'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'z', access: 'read' },
    { name: 'dz', access: 'read' },
    { name: 'gram_grad', access: 'write' },
    { name: 'geometry_grad', access: 'read_write' },
  ],
};
