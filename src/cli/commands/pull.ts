import { fault } from '../../report/fault.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../supervise.ts';

export const pull = defineCommand({
  name: 'pull',
  summary: 'fetch a base model from a Hugging Face hub into the local cache',
  usage: 'OWNER/NAME[@REVISION] [options]',
  about:
    'Fetches configuration, tokenizer, chat template and safetensors weights, proves them by their hashes, and goes on where an ' +
    'earlier try stopped. The cache is the one Hugging Face’s tools share (HF_HUB_CACHE, HF_HOME); a token is taken from ' +
    'HF_TOKEN or where logging in left it. A program then says `model "OWNER/NAME"`.',
  examples: [
    'mos pull Qwen/Qwen2-1.5B',
    'HF_ENDPOINT=https://hub.example mos pull meta-llama/Llama-3.2-1B@main',
  ],
  options: {
    endpoint: { type: 'string', value: 'URL', about: 'the hub (default: HF_ENDPOINT, else huggingface.co)' },
    cache: { type: 'string', value: 'DIR', about: 'the cache (default: HF_HUB_CACHE, else as HF_HOME says)' },
  },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    const [{ parseRepository }, { pull: fetchModel }, { hubCache, hubEndpoint, hubToken }] =
      await Promise.all([
        import('../../model/cache.ts'),
        import('../../model/pull.ts'),
        import('../../host/hugging-face.ts'),
      ]);
    const repository = parseRepository(positionals[0]);
    if (!repository)
      throw fault('bad-argument', `\`${positionals[0]}\` is no repository`, {
        help: 'write OWNER/NAME, or OWNER/NAME@REVISION',
      });
    const endpoint = hubEndpoint(values.endpoint ? { HF_ENDPOINT: values.endpoint } : process.env);
    if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
      throw fault('bad-argument', `\`${endpoint}\` is no address of a hub`, { help: 'write https://HOST' });
    const started = performance.now();
    let first: number | undefined;
    const { folder, commit, files, bytes, fetched } = await fetchModel(repository, {
      hub: { endpoint, token: hubToken(), sleep: ms => new Promise(resolve => setTimeout(resolve, ms)) },
      cache: values.cache ?? hubCache(),
      onProgress: (done, total) => {
        first ??= done;
        const rate = (done - first) / (performance.now() - started);
        terminal.progress({
          label: 'MB',
          step: Math.floor(done / 1e6),
          steps: Math.ceil(total / 1e6),
          ...(rate > 0 ? { secondsLeft: (total - done) / rate / 1000 } : {}),
        });
      },
    });
    terminal.endProgress();
    if (terminal.json) terminal.outJson({ version: 1, folder, commit, files, bytes, fetched });
    else
      terminal.out(
        `${repository.id} at ${commit.slice(0, 12)}: ${files.length} files, ${(bytes / 1e6).toFixed(1)} MB` +
          `${fetched === 0 ? ', all here already' : ''}\n${folder}`,
      );
    return EXIT.ok;
  },
});
