/** The maps of a module of spaces on the device, a point each. */
import { source } from '../../kernels/source.ts';
import type { KernelSpec } from '../../kernels/spec.ts';
import { runKernel } from '../gpu/harness.ts';

const probe: KernelSpec = {
  name: 'test.maps',
  wgsl: `${source('common/frame', 'gains/spaces')}
struct Point { which: f32, space: f32, square: f32, unused: f32, stored: vec4<f32> }
struct Answer { gain: f32, by_square: f32, guarded: f32, unused: f32, by_stored: vec4<f32> }
@group(0) @binding(1) var<storage, read> points: array<Point>;
@group(0) @binding(2) var<storage, read_write> out: array<Answer>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= frame.tokens) { return; }
  let p = points[id.x];
  var r: Radial;
  if (p.which == 0.0) { r = lift(u32(p.space), p.stored, p.square); } else { r = drop(u32(p.space), p.stored, p.square); }
  out[id.x] = Answer(r.gain, r.by_square, select(0.0, 1.0, r.guarded), 0.0, r.by_stored);
}`,
  bindings: [
    { name: 'frame', access: 'uniform' },
    { name: 'points', access: 'read' },
    { name: 'out', access: 'write' },
  ],
};

export interface Point {
  /** 0: lift, 1: drop. */
  which: number;
  /** Number in the module. */
  space: number;
  /** Squared radius. */
  square: number;
  /** Stored parameters, at most four. */
  stored: number[];
}

export interface Answer {
  gain: number;
  bySquare: number;
  /** By each of four stored parameters. */
  byStored: number[];
  guarded: boolean;
}

/** `spaces`: text of the module. */
export async function probeMaps(spaces: string, points: Point[]): Promise<Answer[]> {
  const flat = new Float32Array(8 * points.length);
  points.forEach(({ which, space, square, stored }, i) => {
    flat.set([which, space, square, 0, ...stored], 8 * i);
  });
  const { out } = await runKernel(
    probe,
    { SPACES: spaces },
    { points: flat, out: new Float32Array(8 * points.length) },
    { frame: { tokens: points.length }, workgroups: [Math.ceil(points.length / 64)] },
  );
  return points.map((_, i) => {
    const [gain, bySquare, guarded, , ...byStored] = out.subarray(8 * i, 8 * i + 8);
    return { gain, bySquare, byStored, guarded: guarded === 1 };
  });
}
