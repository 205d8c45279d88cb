/** `_quads`: for processors that run four invocations as one; bindings and parameters of the kernel it stands in for. */
import { source } from '../source.ts';
import type { Binding, KernelSpec } from '../spec.ts';

const frame: Binding = { name: 'frame', access: 'uniform' };
const read = (...names: string[]): Binding[] => names.map(name => ({ name, access: 'read' }));
const write = (...names: string[]): Binding[] => names.map(name => ({ name, access: 'write' }));

const forwardBindings = [frame, ...read('q', 'kv', 'keys'), ...write('o', 'lse')];
const backwardQBindings = [frame, ...read('q', 'kv', 'keys', 'd_o', 'o', 'lse'), ...write('dq', 'delta')];
const backwardKvBindings = [frame, ...read('q', 'kv', 'queries', 'd_o', 'lse', 'delta'), ...write('dkv')];

/** Tokens that a workgroup of `_quads` serves, of one head: x: ceil(T/ATTENTION_BLOCK), y: heads. */
export const ATTENTION_BLOCK = 32;

export const attentionForward: KernelSpec = {
  name: 'attention.forward',
  wgsl: source('common/frame', 'attention/fours', 'attention/forward_io', 'attention/forward'),
  bindings: forwardBindings,
};

export const attentionForwardQuads: KernelSpec = {
  name: 'attention.forward_quads',
  wgsl: source(
    'attention/quads',
    'common/frame',
    'attention/fours',
    'attention/forward_io',
    'attention/forward_quads',
  ),
  bindings: forwardBindings,
};

export const attentionBackwardQ: KernelSpec = {
  name: 'attention.backward_q',
  wgsl: source('common/frame', 'attention/fours', 'attention/backward_q_io', 'attention/backward_q'),
  bindings: backwardQBindings,
};

export const attentionBackwardQQuads: KernelSpec = {
  name: 'attention.backward_q_quads',
  wgsl: source(
    'attention/quads',
    'common/frame',
    'attention/fours',
    'attention/backward_q_io',
    'attention/backward_q_quads',
  ),
  bindings: backwardQBindings,
};

export const attentionBackwardKv: KernelSpec = {
  name: 'attention.backward_kv',
  wgsl: source('common/frame', 'attention/fours', 'attention/backward_kv_io', 'attention/backward_kv'),
  bindings: backwardKvBindings,
};

export const attentionBackwardKvQuads: KernelSpec = {
  name: 'attention.backward_kv_quads',
  wgsl: source(
    'attention/quads',
    'common/frame',
    'attention/fours',
    'attention/backward_kv_io',
    'attention/backward_kv_quads',
  ),
  bindings: backwardKvBindings,
};
