/**
 * Single dispatches of a plan, on its own buffers: what their variants compute, and how long they take. Whatever the
 * buffers held is lost but for the weights, so this comes before the first step of a run.
 */
import type { Dispatch, Plan, Variant } from '../../compiler/plan/schema.ts';
import { pack } from '../data/batches.ts';
import type { Executor, Symbols } from '../runtime/executor.ts';
import { uniformStream } from '../runtime/random.ts';
import { EVALUATION, symbolsOf, writeBatch } from '../runtime/session.ts';
import { kernelId } from './variants.ts';

/** ‖out − reference‖ / ‖reference‖ that a variant may have: rounding of f32 in another order, or of f16 inputs. */
const TOLERANCE = { f32: 1e-4, f16: 5e-3 };
/** Words of a result that are compared, at its start and at its end. */
const COMPARED = 2 ** 16;
/** Random words; longer buffers repeat them. A prime, so that rows do not. */
const NOISE = 262_139;
const SAMPLES = 7;
const SAMPLE_MS = 20;

/** The largest batch a plan trains on, of tokens that mean nothing. */
export function fullBatch({ training, model }: Plan) {
  const { batch, length } = training!;
  const random = uniformStream(0, 'tokens');
  const ids = (row: number) =>
    Int32Array.from({ length }, (_, i) => Math.floor(random(row * length + i) * model!.vocabulary));
  return pack(Array.from({ length: batch }, (_, row) => ({ ids: ids(row), labels: ids(row) })));
}

/** Sizes at which a program is measured: its largest. */
export function symbolsFor(plan: Plan, program: string): Symbols {
  const { rows = 1, tokens = 1 } = plan.generation ?? {};
  if (program === 'decode') return { tokens: rows, targets: rows, rows };
  if (program === 'prefill') return { tokens, targets: rows, rows };
  return symbolsOf(fullBatch(plan));
}

export class Measure {
  private readonly executor: Executor;
  private readonly noise: Float32Array<ArrayBuffer>;

  constructor(executor: Executor) {
    this.executor = executor;
    const random = uniformStream(0, 'noise');
    this.noise = Float32Array.from({ length: NOISE }, (_, i) => random(i) - 0.5);
    writeBatch(executor, fullBatch(executor.plan));
  }

  /** Gives everything a dispatch reads, but for weights, constants and the batch, values between −½ and ½. */
  fill(dispatch: Dispatch, symbols: Symbols): void {
    const { executor } = this;
    const { plan } = executor;
    executor.writeFrame(symbols, EVALUATION);
    plan.kernels[dispatch.variants[0].kernel].bindings.forEach(({ access }, i) => {
      const { buffer, offset, bytes } = dispatch.bindings[i];
      const { name, role } = plan.buffers[buffer];
      if (access !== 'read' || ['weight', 'constant', 'input', 'frame'].includes(role)) return;
      const [noise, period] = this.noiseFor(dispatch, i);
      for (let at = 0; at < bytes / 4; at += period)
        executor.write(name, noise.subarray(0, Math.min(period, bytes / 4 - at)), offset / 4 + at);
    });
  }

  /**
   * What a binding is filled with, again and again. Gradients of a linear layer with a number of outputs that four does not
   * divide are zero from there to the next four, and its kernels count on it.
   */
  private noiseFor(
    { variants }: Dispatch,
    binding: number,
  ): [noise: Float32Array<ArrayBuffer>, period: number] {
    const { plan, pipelines } = this.executor;
    const { bindings, file } = plan.kernels[variants[0].kernel];
    const constant = (name: string) =>
      Number(new RegExp(`^const ${name}: u32 = (\\d+)u;`, 'm').exec(pipelines.files.get(file)!)?.[1] ?? 0);
    const end = constant('DY_COLUMN') + constant('N');
    const ld = constant('LD_DY');
    if (bindings[binding].name !== 'dy' || ld === 0 || end % 4 === 0) return [this.noise, NOISE];
    const period = NOISE - (NOISE % ld);
    const noise = this.noise.slice(0, period);
    for (let row = 0; row < period; row += ld) noise.fill(0, row + end, row + Math.ceil(end / 4) * 4);
    return [noise, period];
  }

  private async dispatch(dispatch: Dispatch, variant: Variant, symbols: Symbols, times = 1): Promise<void> {
    const { executor } = this;
    const { device } = executor.opened;
    const bound = await executor.bind(dispatch, variant);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < times; i++) executor.record(pass, bound, symbols);
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  /** What a variant leaves behind in everything the dispatch writes, which starts as zeros. */
  private async result(dispatch: Dispatch, variant: Variant, symbols: Symbols): Promise<Float32Array[]> {
    const { executor } = this;
    const { plan } = executor;
    const written = plan.kernels[variant.kernel].bindings.flatMap(({ access }, i) =>
      access === 'write' || access === 'read_write' ? [dispatch.bindings[i]] : [],
    );
    executor.clear(...written.map(({ buffer }) => plan.buffers[buffer].name));
    await this.dispatch(dispatch, variant, symbols);
    return Promise.all(
      written.map(({ buffer, offset, bytes }) => {
        const words = bytes / 4;
        const count = Math.min(words, COMPARED);
        const ends =
          words <= 2 * COMPARED
            ? [[0, words]]
            : [
                [0, count],
                [words - count, count],
              ];
        const ranges = ends.map(([at, length]) => ({ offset: offset / 4 + at, count: length }));
        return executor.readRanges(plan.buffers[buffer].name, ranges);
      }),
    );
  }

  /** Whether each of `variants` computes what the first of the dispatch does, within rounding. */
  async agree(dispatch: Dispatch, variants: readonly Variant[], symbols: Symbols): Promise<boolean[]> {
    this.fill(dispatch, symbols);
    const wanted = await this.result(dispatch, dispatch.variants[0], symbols);
    const agreed: boolean[] = [];
    for (const variant of variants) {
      const tolerance =
        variant.subgroupMatrix || variant.features?.includes('shader-f16') ? TOLERANCE.f16 : TOLERANCE.f32;
      const got = await this.result(dispatch, variant, symbols);
      agreed.push(got.every((values, i) => distance(values, wanted[i]) <= tolerance));
    }
    return agreed;
  }

  /** Milliseconds of a dispatch, of `times` in one submit. */
  async once(dispatch: Dispatch, variant: Variant, symbols: Symbols, times: number): Promise<number> {
    const started = performance.now();
    await this.dispatch(dispatch, variant, symbols, times);
    await this.executor.opened.device.queue.onSubmittedWorkDone();
    return (performance.now() - started) / times;
  }

  /** Median milliseconds of one dispatch per variant, by kernel id; the variants take turns. */
  async time(
    dispatch: Dispatch,
    variants: readonly Variant[],
    symbols: Symbols,
  ): Promise<Record<string, number>> {
    const { executor } = this;
    this.fill(dispatch, symbols);
    const run = (variant: Variant, times: number) => this.once(dispatch, variant, symbols, times);
    const jobs = variants.map(variant => ({ variant, times: 1, samples: [] as number[] }));
    for (const job of jobs) {
      await run(job.variant, 1);
      job.times = Math.min(1000, Math.max(1, Math.round(SAMPLE_MS / (await run(job.variant, 1)))));
    }
    for (let i = 0; i < SAMPLES; i++)
      for (const job of jobs) job.samples.push(await run(job.variant, job.times));
    executor.opened.check();
    return Object.fromEntries(
      jobs.map(({ variant, samples }) => [
        kernelId(executor.plan, variant),
        samples.sort((a, b) => a - b)[SAMPLES >> 1],
      ]),
    );
  }
}

/** ‖a − b‖ / ‖b‖; infinite where one of them has a value that is not finite and the other has not. */
function distance(a: Float32Array, b: Float32Array): number {
  let [difference, norm] = [0, 0];
  for (const [i, wanted] of b.entries()) {
    if (!Number.isFinite(a[i]) && !Number.isFinite(wanted)) continue;
    difference += (a[i] - wanted) ** 2;
    norm += wanted ** 2;
  }
  if (Number.isNaN(difference)) return Infinity;
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}
