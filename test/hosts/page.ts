/** Runs cases in a page: reads them from, and posts what came out to, the server it came from. */
import { type Outcome, runCase } from '../runtime/cases.ts';

async function run(): Promise<{ gpu: string; outcomes: Outcome[] }> {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error('the browser offers no WebGPU adapter');
  const device = await adapter.requestDevice();
  const read = async (path: string) => new Uint8Array(await (await fetch(`/cases/${path}`)).arrayBuffer());
  const cases = (await (await fetch('/cases')).json()) as string[];
  const outcomes: Outcome[] = [];
  for (const name of cases) outcomes.push(...(await runCase(name, device, read)));
  return { gpu: `${adapter.info.vendor} ${adapter.info.architecture}`, outcomes };
}

const result = await run().catch((error: unknown) => ({
  failed: error instanceof Error ? `${error.message}\n${error.stack}` : String(error),
}));
await fetch('/done', { method: 'POST', body: JSON.stringify(result) });
