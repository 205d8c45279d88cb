/**
 * Training in a worker, seen from the outside: a promise with progress events that an AbortSignal cancels. The same file
 * serves a page and Deno.
 */

/**
 * Files are [path, Blob or bytes] pairs; resolves to `{ result, adapter }`, the bytes of an adapter.safetensors.
 * @param {{ plan: [string, Blob | Uint8Array][], model: [string, Blob | Uint8Array][], data: (Blob | Uint8Array)[] }} files
 * @param {{ onStep?: (event: import('mos/web').StepEvent) => void, onPhase?: (phase: string) => void, signal?: AbortSignal, url?: URL }} options
 */
export function trainInWorker(
  files,
  { onStep, onPhase, signal, url = new URL('./trainer.js', import.meta.url) } = {},
) {
  const worker = new Worker(url, { type: 'module' });
  const stop = () => worker.postMessage('stop');
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.kind === 'step') onStep?.(data.event);
      else if (data.kind === 'phase') onPhase?.(data.phase);
      else if (data.kind === 'done') resolve({ result: data.result, adapter: data.adapter });
      else reject(new Error(data.diagnostics.map(d => `${d.code}: ${d.message}`).join('\n')));
    };
    worker.onerror = event => reject(new Error(event.message));
    signal?.addEventListener('abort', stop);
    worker.postMessage(files);
  }).finally(() => {
    signal?.removeEventListener('abort', stop);
    worker.terminate();
  });
}
