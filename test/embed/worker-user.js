/**
 * Uses examples/embed-worker in a page and in Deno: takes files from the server of the test, trains, cancels, makes mistakes,
 * and posts what was to be seen.
 */
import { trainInWorker } from '../../examples/embed-worker/train.js';

const server = globalThis.Deno?.args[0] ?? location.href;
const get = path => fetch(new URL(path, server));

const read = async path => (await get(`files/${path}`)).blob();
const readAll = paths => Promise.all(paths.map(async path => [path, await read(path)]));

/** What a promise rejects with. */
const failure = promise =>
  promise.then(
    () => 'nothing',
    error => error,
  );

async function use() {
  const { plan, model } = await (await get('files')).json();
  const files = { plan: await readAll(plan), model: await readAll(model), data: [await read('data.jsonl')] };
  const phases = [];
  const steps = [];
  const whole = await trainInWorker(files, {
    onPhase: phase => phases.push(phase),
    onStep: step => steps.push(step),
  });
  const during = new AbortController();
  const part = await trainInWorker(files, { signal: during.signal, onStep: () => during.abort() });
  const opening = new AbortController();
  const early = await failure(
    trainInWorker(files, { signal: opening.signal, onPhase: () => opening.abort('changed my mind') }),
  );
  const never = await failure(trainInWorker(files, { signal: AbortSignal.abort('already') }));
  const wrong = await failure(trainInWorker({ ...files, data: [new Uint8Array([123])] }));
  const absent = await failure(trainInWorker(files, { url: new URL('./absent.js', import.meta.url) }));
  return {
    phases,
    steps: steps.map(({ step, loss }) => ({ step, loss })),
    result: whole.result,
    bytes: whole.adapter.byteLength,
    part: part.result,
    early,
    never,
    wrong: wrong.diagnostics?.map(({ code }) => code),
    absent: absent instanceof Error,
  };
}

const seen = await use().catch(error => ({ failed: `${error.message}\n${error.stack}` }));
await fetch(new URL('done', server), { method: 'POST', body: JSON.stringify(seen) });
globalThis.Deno?.exit(0);
