/** Measurements behind the choice of variants: all of them for `mos tune`, and a check of those nobody has tried here yet. */
import type { Executor } from '../runtime/executor.ts';
import { CORE, offers } from '../runtime/offers.ts';
import { Measure, symbolsFor } from './measure.ts';
import type { Tuning } from './tuning-file.ts';
import { kernelId, openChoices, type VariantChoice } from './variants.ts';

/**
 * Makes every choice that programs leave open. A variant that needs more than WebGPU's core is compared with its reference the first
 * time a device is to run it, and never taken where the two disagree. Returns names of the kernels that were refused, and
 * whether `tuning` learned anything.
 */
export async function proveVariants(
  executor: Executor,
  variants: VariantChoice,
  tuning: Tuning,
  programs: string[],
): Promise<{ refused: string[]; learned: boolean }> {
  const { plan } = executor;
  const refused = new Set<string>();
  let measure: Measure | undefined;
  for (const { program, dispatch } of openChoices(plan, programs).values()) {
    for (;;) {
      const variant = variants.choose(dispatch, executor.pipelines.runnable(dispatch));
      const kernel = kernelId(plan, variant);
      if (offers(CORE, variant) || tuning.checked[kernel]) break;
      if (tuning.checked[kernel] === undefined) {
        measure ??= new Measure(executor);
        [tuning.checked[kernel]] = await measure.agree(dispatch, [variant], symbolsFor(plan, program));
      }
      if (tuning.checked[kernel]) break;
      variants.refuse(kernel);
      refused.add(plan.kernels[variant.kernel].name);
    }
  }
  return { refused: [...refused], learned: measure !== undefined };
}

export interface Tuned {
  /** Kernel of the fastest variant, of the first one, and what it works on. */
  name: string;
  reference: string;
  module: string;
  milliseconds: number;
  referenceMilliseconds: number;
  /** Variants whose results differ from the reference: not timed. */
  wrong: string[];
}

/** Measures the variants, of every choice that programs leave open, that this device can run; adds that to `tuning`. */
export async function tuneVariants(
  executor: Executor,
  tuning: Tuning,
  programs: string[],
  onProgress: (done: number, of: number, kernel: string) => void,
): Promise<Tuned[]> {
  const { plan } = executor;
  const measure = new Measure(executor);
  const open = [...openChoices(plan, programs)];
  const results: Tuned[] = [];
  for (const [i, [id, { program, dispatch }]] of open.entries()) {
    const [reference, ...others] = executor.pipelines.runnable(dispatch);
    const nameOf = (kernel: string) => plan.kernels.find(k => k.sha256.startsWith(kernel))!.name;
    onProgress(i, open.length, plan.kernels[reference.kernel].name);
    const symbols = symbolsFor(plan, program);
    const agreed = await measure.agree(dispatch, others, symbols);
    for (const [j, variant] of others.entries()) tuning.checked[kernelId(plan, variant)] = agreed[j];
    const right = [reference, ...others.filter((_, j) => agreed[j])];
    const milliseconds = await measure.time(dispatch, right, symbols);
    const [[kernel, fastest]] = Object.entries(milliseconds).sort(([, a], [, b]) => a - b);
    tuning.choices[id] = { name: nameOf(kernel), kernel, milliseconds };
    results.push({
      name: nameOf(kernel),
      reference: nameOf(kernelId(plan, reference)),
      module: plan.origins[dispatch.origin].module,
      milliseconds: fastest,
      referenceMilliseconds: milliseconds[kernelId(plan, reference)],
      wrong: others.filter((_, j) => !agreed[j]).map(v => plan.kernels[v.kernel].name),
    });
  }
  return results;
}
