/**
 * The worker: trains a plan off the main thread, wherever there is WebGPU in a worker (browsers, Deno). It is told
 * `{ plan, model, data }`, files by path, and answers with what happens; `'stop'` ends it after the step at hand.
 */
import { MosError, WebModel } from 'mos/web';

const stop = new AbortController();
const { signal } = stop;

const asBlob = file => (file instanceof Blob ? file : new Blob([file]));
const folder = files => new Map(files.map(([path, file]) => [path, asBlob(file)]));

async function train({ plan, model, data }) {
  const tell = (message, transfer = []) => globalThis.postMessage(message, { transfer });
  try {
    const opened = await WebModel.open(folder(plan), folder(model), {
      signal,
      onPhase: phase => tell({ kind: 'phase', phase }),
    });
    signal.throwIfAborted();
    const result = await opened.train(data.map(asBlob), {
      signal,
      onStep: event => tell({ kind: 'step', event }),
    });
    const adapter = await (await opened.adapterFile()).arrayBuffer();
    opened.close();
    tell({ kind: 'done', result, adapter }, [adapter]);
  } catch (error) {
    if (signal.aborted && error === signal.reason) tell({ kind: 'cancelled' });
    else if (error instanceof MosError) tell({ kind: 'failed', diagnostics: error.diagnostics });
    else tell({ kind: 'failed', diagnostics: [{ code: 'bug', message: String(error) }] });
  }
}

globalThis.onmessage = ({ data }) => {
  if (data === 'stop') stop.abort();
  else void train(data);
};
