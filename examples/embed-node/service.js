/**
 * A service that answers with a plan: `node service.js PLAN NAME=ADAPTER… [--port N]`, Node 22 or newer, or Bun.
 *
 *     POST /generate {"prompt": "Is a robin a bird?", "adapter": "tree", "max_tokens": 32}   → {"text": "…"}
 *     GET  /adapters                                                                        → ["tree", …]
 *
 * The base model is loaded once; an adapter is switched in an instant, per request. It listens on this machine only.
 */
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { load, MosError } from 'mos';

const LARGEST_BODY = 64 * 1024;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { port: { type: 'string', default: '8080' } },
});
const [plan, ...adapters] = positionals;
if (!plan) {
  console.error('usage: node service.js PLAN NAME=ADAPTER… [--port N]');
  process.exit(1);
}

const model = await load(plan);
for (const text of adapters) {
  const at = text.indexOf('=');
  await model.add(text.slice(0, at), text.slice(at + 1));
}

/** A GPU does one thing at a time: requests wait for those before them. */
let last = Promise.resolve();
const inTurn = work => {
  const mine = last.then(work);
  last = mine.catch(() => {});
  return mine;
};

async function answer({ prompt, adapter, max_tokens: maxTokens = 64 }, signal) {
  return inTurn(async () => {
    signal.throwIfAborted();
    await (adapter === undefined ? model.off() : model.use(adapter));
    return { text: await model.generate(String(prompt ?? ''), { maxTokens, signal }) };
  });
}

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > LARGEST_BODY) throw new SyntaxError('the body is too long');
  }
  return JSON.parse(text);
}

const server = createServer(async (request, response) => {
  const reply = (status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
  };
  // Whoever asked has gone: nobody waits for the rest.
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  try {
    if (request.method === 'GET' && request.url === '/adapters') reply(200, model.adapters);
    else if (request.method === 'POST' && request.url === '/generate')
      reply(200, await answer(await bodyOf(request), gone.signal));
    else reply(404, { error: 'there is GET /adapters and POST /generate' });
  } catch (error) {
    if (error instanceof MosError) reply(400, { diagnostics: error.diagnostics });
    else if (error instanceof SyntaxError) reply(400, { error: error.message });
    else if (!gone.signal.aborted) reply(500, { error: String(error) });
  }
});

server.listen(Number(values.port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    server.close(async () => {
      await last;
      model.close();
      process.exit(0);
    });
    server.closeAllConnections();
  });
}
