import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const swigluForward: KernelSpec = {
  name: 'swiglu.forward',
  wgsl: source('common/frame', 'common/sigmoid', 'swiglu/activation', 'swiglu/forward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'gate_up', access: 'read' },
    { name: 'out', access: 'write' },
  ],
};

export const swigluBackward: KernelSpec = {
  name: 'swiglu.backward',
  wgsl: source('common/frame', 'common/sigmoid', 'swiglu/activation', 'swiglu/backward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'gate_up', access: 'read' },
    { name: 'dy', access: 'read' },
    { name: 'dgate_up', access: 'write' },
  ],
};
