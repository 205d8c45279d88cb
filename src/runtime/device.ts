/** A `GPUDevice` and what becomes of it: a loss, and errors that nobody caught, are remembered as faults. */
import { type Fault, fault } from '../report/portable.ts';

export interface Watched {
  device: GPUDevice;
  /** The adapter computes on the processor: slow, but it follows the standard exactly. */
  software: boolean;
  /** The first uncaught error or loss, if any; results after it mean nothing. */
  failure(): Fault | undefined;
  /** Resolves once a loss that has happened is known to `failure`: it is told a moment after the calls that fail by it. */
  settled(): Promise<void>;
  /** Throws that failure. */
  check(): void;
  /** Destroys the device; its loss is then no fault. */
  close(): void;
}

export interface WatchOptions {
  /** Whether the adapter computes on the processor. Default: as its information says. */
  software?: boolean;
  /**
   * Nobody else uses the device: an uncaught error is ours, counts as a failure and is kept from the console. Otherwise it
   * is left to the owner of the device.
   */
  claim?: boolean;
  /** Called once per uncaught error and once when the device is lost without our doing. */
  onFault?: (fault: Fault) => void;
}

export function watchDevice(device: GPUDevice, options: WatchOptions = {}): Watched {
  let failure: Fault | undefined;
  let closed = false;
  const fail = (found: Fault) => {
    failure ??= found;
    options.onFault?.(found);
  };
  if (options.claim) {
    device.addEventListener('uncapturederror', event => {
      // Without this Dawn prints the error on stdout.
      event.preventDefault();
      fail(gpuFault(event.error));
    });
  }
  device.lost.then(
    lost => {
      if (!closed) fail(fault('gpu-lost', `the GPU was lost: ${oneLine(lost.message || lost.reason)}`));
    },
    () => {},
  );
  // Not every implementation has the information on the device yet.
  const info = device.adapterInfo as GPUAdapterInfo | undefined;
  return {
    device,
    software: options.software ?? (info !== undefined && isSoftware(info)),
    failure: () => failure,
    settled: () => new Promise(resolve => setTimeout(resolve, 0)),
    check() {
      if (failure) throw failure;
    },
    close() {
      closed = true;
      device.destroy();
    },
  };
}

/** Whether an adapter computes on the processor. */
export function isSoftware({
  isFallbackAdapter,
  device,
  description,
  architecture,
}: GPUAdapterInfo): boolean {
  // llvmpipe is Mesa's processor driver: Dawn marks it too, but only some versions do.
  const names = `${device} ${description} ${architecture}`;
  return isFallbackAdapter || /swiftshader|llvmpipe|microsoft basic render/i.test(names);
}

/** The fault for an error object of WebGPU, from an error scope or uncaught. */
export function gpuFault(error: GPUError, doing?: string): Fault {
  const during = doing ? ` while ${doing}` : '';
  // By name: where Dawn is a package, its classes need not be globals.
  const outOfMemory = error.constructor.name === 'GPUOutOfMemoryError';
  const code = outOfMemory ? 'gpu-out-of-memory' : 'gpu-error';
  return fault(code, `${outOfMemory ? 'out of GPU memory' : 'WebGPU refused a command'}${during}`, {
    notes: error.message.split('\n').filter(line => line.trim()),
  });
}

export function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().replace(/\s*\n\s*/g, ' ') || 'no reason given';
}
