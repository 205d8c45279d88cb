/** What a run is made of, for its checkpoints. */
import type { Base } from './base.ts';
import { type Identity, layoutHash, planHash, runtime, sha256, webgpuVersion } from './checkpoint-state.ts';

export function identityOf({ plan, opened, checkpoint, executor }: Base, data: string): Identity {
  const { vendor, architecture, device, description } = opened.info;
  return {
    plan: planHash(plan),
    layout: layoutHash(plan),
    data,
    base: sha256(`${checkpoint.fingerprint()} ${checkpoint.readSum()}`),
    device: [vendor, architecture, device, description].filter(Boolean).join(' ') || 'unnamed GPU',
    hardware: executor.hardware,
    runtime: runtime(),
    webgpu: webgpuVersion(),
  };
}
