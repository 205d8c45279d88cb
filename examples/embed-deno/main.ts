/**
 * A plan on Deno's own WebGPU, without Dawn and without a compiler: `deno run -A main.ts PLAN MODEL ADAPTER PROMPT`.
 * Answers the prompt with the adapter and without it, and says which space each token went to.
 */
import { type Folder, meanRoutes, WebModel } from 'mos/web';

/** A folder as a page would have it: files by path. Deno reads them whole; a page reads them in ranges. */
async function folderOf(path: string, inside = '', files = new Map<string, Blob>()): Promise<Folder> {
  for await (const { name, isDirectory } of Deno.readDir(`${path}/${inside}`)) {
    if (isDirectory) await folderOf(path, `${inside}${name}/`, files);
    else files.set(`${inside}${name}`, new Blob([await Deno.readFile(`${path}/${inside}${name}`)]));
  }
  return files;
}

const [plan, base, adapter, prompt] = Deno.args;
if (prompt === undefined) {
  console.error('usage: deno run -A main.ts PLAN MODEL ADAPTER PROMPT');
  Deno.exit(2);
}
const model = await WebModel.open(await folderOf(plan), await folderOf(base));
await model.add('trained', new Blob([await Deno.readFile(`${adapter}/adapter.safetensors`)]));

console.log('base:', JSON.stringify(await model.generate(prompt, { maxTokens: 16 })));
await model.use('trained');
const answer = await model.generate(prompt, { maxTokens: 16 });
console.log('adapter:', JSON.stringify(answer));

const { tokens, sites } = await model.routes([
  { role: 'user', content: prompt },
  { role: 'assistant', content: answer },
]);
for (const [i, weights] of meanRoutes(sites).entries()) {
  const shares = [...weights].map(([space, weight]) => `${space} ${(100 * weight).toFixed(0)} %`);
  console.log(`${JSON.stringify(tokens[i])}: ${shares.join(', ')}`);
}
model.close();
