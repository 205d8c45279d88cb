/** Opens a plan of a reference case with the kernels that a run takes on this device, but for those that round to f16. */
import type { Compiled } from '../../compiler/index.ts';
import { type OpenedDevice, openDevice } from '../gpu/device.ts';
import { wantedBy } from '../run/trust.ts';
import { Executor } from '../runtime/executor.ts';
import { lastVariant } from '../runtime/pipelines.ts';
import type { TensorSource } from '../runtime/upload-weights.ts';

export async function openCase(
  { plan, files }: Compiled,
  tensors: TensorSource,
): Promise<{ opened: OpenedDevice; executor: Executor }> {
  const opened = await openDevice({ limits: plan.requires.limits, wanted: wantedBy(plan) });
  const last = lastVariant(!opened.software, true);
  const executor = await Executor.open(plan, files, opened, tensors, {
    choose: (dispatch, variants) =>
      last(
        dispatch,
        variants.filter(v => !v.subgroupMatrix),
      ),
  });
  return { opened, executor };
}
