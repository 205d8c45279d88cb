/** Kernels of a plan as pipelines, each compiled once, and dispatches bound to buffers. */
import type { Dispatch, Plan, Variant } from '../../compiler/plan/schema.ts';
import { fault } from '../report/portable.ts';
import type { Watched } from './device.ts';
import { CORE, offers } from './offers.ts';

/** A dispatch ready to be recorded. */
export interface Bound {
  pipeline: GPUComputePipeline;
  bindGroup: GPUBindGroup;
  grid: Variant['grid'];
  /** Index of the kernel that was chosen. */
  kernel: number;
  dispatch: Dispatch;
}

/** The GPU memory that binding `binding` of a dispatch stands for. */
export type Resource = (dispatch: Dispatch, binding: number) => GPUBufferBinding;

/** Picks one of the variants that this device can run; `variants` starts with the reference. */
export type Choose = (dispatch: Dispatch, variants: readonly Variant[]) => Variant;

/**
 * The choice without measurements: the last variant, for hardware only where there is any. One that needs more than WebGPU's
 * core is taken only as `untried`, by who then compares its results on this device.
 */
export const lastVariant =
  (hardware: boolean, untried = false): Choose =>
  (_, variants) =>
    variants.findLast(v => (!v.hardware || hardware) && (untried || offers(CORE, v)))!;

const LAYOUT_TYPES = {
  uniform: 'uniform',
  read: 'read-only-storage',
  write: 'storage',
  read_write: 'storage',
} as const;
/** GPUShaderStage.COMPUTE. */
const COMPUTE_STAGE = 4;

export class Pipelines {
  private readonly plan: Plan;
  /** WGSL by path inside the plan. */
  readonly files: ReadonlyMap<string, string>;
  private readonly watched: Watched;
  private readonly choose: Choose;
  private readonly compiled = new Map<number, Promise<GPUComputePipeline>>();
  /** Made since opening. */
  readonly made = { pipelines: 0, bindGroups: 0 };

  constructor(plan: Plan, files: ReadonlyMap<string, string>, watched: Watched, choose: Choose) {
    this.plan = plan;
    this.files = files;
    this.watched = watched;
    this.choose = choose;
  }

  /** Variants of a dispatch that this device can run. */
  runnable({ variants }: Dispatch): Variant[] {
    return variants.filter((variant, i) => i === 0 || offers(this.watched.device, variant));
  }

  /** `variant`: default is the choice this was made with. */
  async bind(
    dispatch: Dispatch,
    resource: Resource,
    variant = this.choose(dispatch, this.runnable(dispatch)),
  ): Promise<Bound> {
    let compiling = this.compiled.get(variant.kernel);
    if (!compiling) {
      this.made.pipelines++;
      compiling = this.compile(variant.kernel, dispatch);
      this.compiled.set(variant.kernel, compiling);
    }
    const pipeline = await compiling;
    this.made.bindGroups++;
    const bindGroup = this.watched.device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: dispatch.bindings.map((_, binding) => ({ binding, resource: resource(dispatch, binding) })),
    });
    return { pipeline, bindGroup, grid: variant.grid, kernel: variant.kernel, dispatch };
  }

  private async compile(index: number, dispatch: Dispatch): Promise<GPUComputePipeline> {
    const { name, file, bindings, entry } = this.plan.kernels[index];
    const { device } = this.watched;
    const code = this.files.get(file);
    if (code === undefined) throw fault('plan-damaged', `the plan lists ${file}, which is missing`);
    // An error here would otherwise count as one that nobody expected, and spoil the device for good.
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ code, label: name });
    const layout = device.createBindGroupLayout({
      entries: bindings.map(({ access }, binding) => ({
        binding,
        visibility: COMPUTE_STAGE,
        buffer: { type: LAYOUT_TYPES[access] },
      })),
    });
    const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
    const invalid = device.popErrorScope();
    try {
      const pipeline = device.createComputePipelineAsync({
        label: name,
        layout: pipelineLayout,
        compute: { module, entryPoint: entry },
      });
      const [error, ready] = await Promise.all([invalid, pipeline]);
      if (error) throw error;
      return ready;
    } catch (error) {
      await this.watched.settled();
      this.watched.check();
      const { messages } = await module.getCompilationInfo();
      const reasons = messages
        .filter(m => m.type === 'error')
        .map(m => `${file}:${m.lineNum}:${m.linePos}: ${m.message}`);
      const { file: source, line, column, module: path } = this.plan.origins[dispatch.origin];
      if (reasons.length === 0) reasons.push((error as Partial<Error> | undefined)?.message ?? String(error));
      throw fault('kernel-rejected', `the GPU rejects kernel ${name}`, {
        notes: [...reasons, `used for ${path}, from ${source}:${line}:${column}`],
      });
    }
  }
}
