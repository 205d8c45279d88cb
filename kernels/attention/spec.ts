import { source } from '../source.ts';
import type { KernelSpec } from '../spec.ts';

export const attentionForward: KernelSpec = {
  name: 'attention.forward',
  wgsl: source('common/frame', 'attention/ranges', 'attention/forward'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'q', access: 'read' },
    { name: 'kv', access: 'read' },
    { name: 'keys', access: 'read' },
    { name: 'o', access: 'write' },
    { name: 'lse', access: 'write' },
  ],
};

export const attentionBackwardQ: KernelSpec = {
  name: 'attention.backward_q',
  wgsl: source('common/frame', 'attention/ranges', 'attention/backward_q'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'q', access: 'read' },
    { name: 'kv', access: 'read' },
    { name: 'keys', access: 'read' },
    { name: 'd_o', access: 'read' },
    { name: 'o', access: 'read' },
    { name: 'lse', access: 'read' },
    { name: 'dq', access: 'write' },
    { name: 'delta', access: 'write' },
  ],
};

export const attentionBackwardKv: KernelSpec = {
  name: 'attention.backward_kv',
  wgsl: source('common/frame', 'attention/ranges', 'attention/backward_kv'),
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'q', access: 'read' },
    { name: 'kv', access: 'read' },
    { name: 'queries', access: 'read' },
    { name: 'd_o', access: 'read' },
    { name: 'lse', access: 'read' },
    { name: 'delta', access: 'read' },
    { name: 'dkv', access: 'write' },
  ],
};
