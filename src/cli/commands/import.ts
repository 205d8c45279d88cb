import { existsSync } from 'node:fs';
import { fault } from '../../report/fault.ts';
import { defineCommand } from '../command.ts';
import { PROGRAM_OPTIONS } from '../program.ts';

const { model, out } = PROGRAM_OPTIONS;

export const importAdapter = defineCommand({
  name: 'import',
  summary: 'read a LoRA adapter of Hugging Face PEFT into OUT/adapter',
  usage: 'FILE.mos|PLAN --peft DIR [options]',
  about:
    'The program says which modules are adapted, with one `euclid` expert each, and has the rank and alpha of the file; ' +
    'what does not fit is named. `mos eval`, `generate` and `chat` then find the adapter.',
  examples: ['mos import lora.mos --peft adapter-from-peft'],
  options: {
    peft: {
      type: 'string',
      value: 'DIR',
      about: 'folder with adapter_config.json and adapter_model.safetensors',
    },
    model,
    out,
  },
  positionals: [1, 1],
  async run({ values, positionals, terminal }) {
    if (!values.peft)
      throw fault('bad-argument', '`mos import` needs a folder', { help: 'name it with `--peft DIR`' });
    const { adapterFolder, planFor } = await import('../program.ts');
    const { saveAdapter } = await import('../../run/adapter-file.ts');
    const { importPeft } = await import('../../run/peft-file.ts');
    const { plan, out } = planFor(positionals[0], values, terminal);
    const folder = adapterFolder(out);
    if (existsSync(folder))
      throw fault('unsafe-path', `\`${folder}\` holds an adapter already; it is left alone`, {
        help: 'give another folder with `--out`',
      });
    const origin = {
      step: 0,
      base: '',
      data: '',
      seed: 0,
      exact: false,
      inexact: ['it was imported from PEFT'],
    };
    saveAdapter(folder, plan, importPeft(values.peft, plan), origin);
    if (terminal.json) terminal.outJson({ version: 1, folder });
    else terminal.out(folder);
    return 0;
  },
});
