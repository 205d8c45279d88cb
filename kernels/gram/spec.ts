import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const gramForward: KernelSpec = {
  name: 'gram.forward',
  wgsl: source('common/frame', 'gram/forward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'params', access: 'read' },
    { name: 'table', access: 'read' },
    { name: 'gram', access: 'write' },
  ],
};

export const gramBackward: KernelSpec = {
  name: 'gram.backward',
  wgsl: source('common/frame', 'gram/backward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'params', access: 'read' },
    { name: 'table', access: 'read' },
    { name: 'gram_grad', access: 'read' },
    { name: 'grads', access: 'read_write' },
  ],
};
