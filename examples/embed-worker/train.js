/**
 * Training in a worker, seen from the outside: a promise with progress events that an AbortSignal cancels. The same file
 * serves a page and Deno.
 */

/**
 * Files are [path, Blob or bytes] pairs; resolves to `{ result, adapter }`, the bytes of an adapter.safetensors. Cancelled
 * while the plan opens, it rejects with the signal's reason; once steps are made, it resolves to what was trained by then,
 * and `result.stopped` is true. Other failures are errors, those of mos with their `diagnostics`.
 * @param {{ plan: [string, Blob | Uint8Array][], model: [string, Blob | Uint8Array][], data: (Blob | Uint8Array)[] }} files
 * @param {{ onStep?: (event: import('mos/web').StepEvent) => void, onPhase?: (phase: string) => void, signal?: AbortSignal, url?: URL }} options
 * @returns {Promise<{ result: import('mos/web').Trained, adapter: ArrayBuffer }>}
 */
export async function trainInWorker(
  files,
  { onStep, onPhase, signal, url = new URL('./trainer.js', import.meta.url) } = {},
) {
  signal?.throwIfAborted();
  const worker = new Worker(url, { type: 'module' });
  const stop = () => worker.postMessage('stop');
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data: { kind, ...told } }) => {
      if (kind === 'step') onStep?.(told.event);
      else if (kind === 'phase') onPhase?.(told.phase);
      else if (kind === 'done') resolve(told);
      else if (kind === 'cancelled') reject(signal.reason);
      else reject(failure(told.diagnostics));
    };
    worker.onerror = event => {
      // Deno would end the whole process.
      event.preventDefault();
      reject(new Error(event.message || `the worker ${url} cannot be started`));
    };
    signal?.addEventListener('abort', stop);
    worker.postMessage(files);
  }).finally(() => {
    signal?.removeEventListener('abort', stop);
    worker.terminate();
  });
}

const failure = diagnostics =>
  Object.assign(new Error(diagnostics.map(d => `${d.code}: ${d.message}`).join('\n')), { diagnostics });
