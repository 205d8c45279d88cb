import { existsSync } from 'node:fs';
import { fault } from '../../report/fault.ts';
import { defineCommand } from '../command.ts';
import { PROGRAM_OPTIONS } from '../program.ts';

const { model, out } = PROGRAM_OPTIONS;

export const exportAdapter = defineCommand({
  name: 'export',
  summary: 'write an adapter for Hugging Face PEFT, where it is plain LoRA',
  usage: 'FILE.mos|PLAN --peft DIR [options]',
  about:
    'One flat expert per module is what PEFT calls LoRA, and what its file then computes. Curved experts and mixtures have no ' +
    'such form: they are refused, not approximated.',
  examples: ['mos export runs/lora/lora.mosplan --peft lora-for-peft'],
  options: {
    peft: {
      type: 'string',
      value: 'DIR',
      about: 'folder to write adapter_config.json and adapter_model.safetensors to',
    },
    adapter: { type: 'string', value: 'DIR', about: 'adapter folder (default: OUT/adapter)' },
    model,
    out,
  },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    if (!values.peft)
      throw fault('bad-argument', '`mos export` needs a folder', { help: 'name it with `--peft DIR`' });
    const { adapterFolder, planFor } = await import('../program.ts');
    const { loadAdapter } = await import('../../run/adapter-file.ts');
    const { exportPeft } = await import('../../run/peft-file.ts');
    const { plan, folder, out } = planFor(positionals[0], values, terminal);
    const adapter = values.adapter ?? adapterFolder(out);
    if (!existsSync(adapter)) throw fault('file-not-found', `there is no adapter folder \`${adapter}\``);
    const folders = exportPeft(values.peft, plan, loadAdapter(adapter, plan), folder);
    if (terminal.json) terminal.outJson({ version: 1, folders });
    else for (const written of folders) terminal.out(written);
    return 0;
  },
});
