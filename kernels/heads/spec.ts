import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const headsForward: KernelSpec = {
  name: 'heads.forward',
  wgsl: source('common/frame', 'heads/forward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'qkv', access: 'read' },
    { name: 'position', access: 'read' },
    { name: 'rope', access: 'read' },
    { name: 'norms', access: 'read' },
    { name: 'slot', access: 'read' },
    { name: 'q', access: 'write' },
    { name: 'kv', access: 'write' },
  ],
};

export const headsBackward: KernelSpec = {
  name: 'heads.backward',
  wgsl: source('common/frame', 'heads/backward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'dq', access: 'read' },
    { name: 'dkv', access: 'read' },
    { name: 'qkv', access: 'read' },
    { name: 'position', access: 'read' },
    { name: 'rope', access: 'read' },
    { name: 'norms', access: 'read' },
    { name: 'dqkv', access: 'write' },
  ],
};
