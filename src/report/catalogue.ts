import { HELP } from './portable.ts';

/** Every fault that can be met at run time: its code, what it means, and what to do about it. Kept sorted by phase. */
export const FAULTS = {
  // command line
  'unknown-command': {
    about: 'The first word after `mos` is not a command.',
    help: 'run `mos help` for the list',
  },
  'unknown-option': {
    about: 'An option is not known to this command.',
    help: 'run the command with `--help`',
  },
  'bad-argument': {
    about: 'An argument or option value cannot be used.',
    help: 'run the command with `--help`',
  },
  'several-programs': {
    about: 'A file with a `sweep` is several programs, and this command takes one.',
    help: 'compile or train the file, then name the plan of one of its programs in OUT',
  },
  // scripts
  'bad-interpolation': {
    about: 'A value in a `mos` template is none that a program can hold.',
    help: 'give a number, a string on one line, a list, or something the builder made',
  },
  // files
  'file-not-found': {
    about: 'A file or folder that was named does not exist.',
    help: 'check the path; paths in a `.mos` file are relative to that file',
  },
  'unreadable-file': {
    about: 'A file exists but cannot be read.',
    help: 'check its permissions, and that it is a file',
  },
  'unwritable-file': {
    about: 'A file cannot be written; what was there before is untouched.',
    help: 'check free space and permissions of the folder',
  },
  'short-read': {
    about: 'A file became shorter while it was being read.',
    help: 'wait until whatever writes the file has finished, then run again',
  },
  'file-too-large': {
    about: 'A file, or one piece of it, is larger than anything sensible of its kind.',
    help: 'check that this is the file you meant',
  },
  'unsafe-path': {
    about: 'A file name or link would lead out of its folder, or an output would be written through a link.',
    help: 'put the file itself into the folder, under a plain name',
  },
  'bad-json': {
    about: 'A JSON file is not valid, nests too deep, or has keys that are not allowed.',
    help: 'download the file again or correct it',
  },
  // base models
  'model-not-found': {
    about: 'A base model is neither a folder nor a repository in the local cache.',
    help: 'check the path; paths in a `.mos` file are relative to that file',
  },
  'model-not-accessible': {
    about: 'A repository is private, gated or not there: the server does not give it to you.',
    help: 'check the name; accept the terms on its page, and set HF_TOKEN to a token that may read it',
  },
  'download-failed': {
    about: 'A file could not be fetched. What has arrived is kept, and `mos pull` goes on from there.',
    help: 'check the network and run the command again',
  },
  'download-damaged': {
    about: 'What a server sent is not what it said it would send: another hash or size. It was thrown away.',
    help: 'run the command again; if it stays so, what stands between you and the server changes files',
  },
  'not-enough-disk': {
    about: 'A download needs more space than is free. Nothing was fetched.',
    help: 'make room, or name another folder with HF_HUB_CACHE',
  },
  'bad-safetensors': {
    about: 'A safetensors file breaks its format.',
    help: HELP['bad-safetensors'],
  },
  'unsupported-dtype': {
    about: 'A tensor has an element type that is not supported here.',
    help: HELP['unsupported-dtype'],
  },
  'missing-tensor': {
    about: 'A tensor that the model needs is not in the checkpoint.',
    help: HELP['missing-tensor'],
  },
  'wrong-tensor-shape': {
    about: 'A tensor has another shape than config.json says.',
    help: HELP['wrong-tensor-shape'],
  },
  'bad-checkpoint': {
    about: 'The files of a checkpoint do not fit together.',
    help: 'download the checkpoint again, with all of its files',
  },
  'not-finite-weights': {
    about: 'Weights contain NaN or infinity.',
    help: 'use an undamaged checkpoint; training would only spread these values',
  },
  'weights-out-of-range': {
    about:
      'Weights do not fit the number type they are to be stored in: too large for it, or so small that they become zero.',
    help: HELP['weights-out-of-range'],
  },
  'bad-config': {
    about: 'config.json has a value that cannot be used.',
    help: 'compare it with the config.json published with the model',
  },
  'unsupported-model': {
    about: 'The architecture, or an option of it, is not supported.',
    help: 'use a Llama, Mistral, Qwen2, Qwen3 or Gemma 3 (text) checkpoint with unquantised weights',
  },
  'unsupported-shape': {
    about: 'A dimension of the model is not a multiple of four, which the kernels need.',
    help: 'use a model whose hidden, intermediate and head sizes are multiples of four',
  },
  // tokenizer
  'bad-tokenizer': {
    about: 'The tokenizer files are damaged or use something unsupported.',
    help: 'download tokenizer.json and tokenizer_config.json of the model again',
  },
  'unsafe-tokenizer': {
    about: 'A pattern in tokenizer.json could take exponential time.',
    help: 'use the tokenizer published with the model',
  },
  'token-out-of-range': {
    about: 'The tokenizer produces a token that the model has no embedding for.',
    help: 'use the tokenizer that belongs to this model',
  },
  'bad-chat-template': {
    about: 'The chat template cannot render a conversation.',
    help: 'use data with alternating user and assistant messages, or the `completion` format',
  },
  // data
  'bad-data': { about: 'A record of a data file cannot be read.', help: 'correct the line that is named' },
  'unknown-data-format': {
    about: 'The format of a data file cannot be told, or does not fit the one asked for.',
    help: 'use {instruction, output}, {messages} or {prompt, completion} records',
  },
  'no-data': { about: 'There are no records to use.', help: 'check the path and the file' },
  'no-labels': {
    about: 'No token of the data takes part in the loss.',
    help: 'give the records non-empty answers, or raise `length` so that they are not cut off',
  },
  // devices
  'no-gpu': { about: 'No WebGPU adapter could be opened.', help: 'run `mos devices` to see what was tried' },
  'gpu-feature-missing': {
    about: 'The GPU lacks a WebGPU feature that the plan needs.',
    help: 'choose another GPU or compile without that feature',
  },
  'gpu-limit': {
    about: 'The GPU allows less than the plan needs.',
    help: HELP['gpu-limit'],
  },
  'not-enough-memory': {
    about: 'A plan needs more GPU memory than `--memory` says there is. Nothing was loaded.',
    help: 'change the settings that the message names',
  },
  'gpu-out-of-memory': {
    about: 'The GPU has too little free memory.',
    help: HELP['gpu-out-of-memory'],
  },
  'gpu-error': {
    about: 'WebGPU refused a command. The state on the GPU can no longer be trusted.',
    help: HELP['gpu-error'],
  },
  'gpu-lost': {
    about: 'The GPU went away: driver reset, removal, or a command that took too long.',
    help: HELP['gpu-lost'],
  },
  'gpu-hung': {
    about: 'The GPU did not finish a step in a time that is many times what the steps before it took.',
    help: 'run the command again; `mos train --resume` goes on from the last checkpoint',
  },
  'gpu-broken': {
    about: 'A small test computation on the GPU gave a wrong result.',
    help: 'update the graphics driver, or choose another GPU',
  },
  'variant-unavailable': {
    about: 'A run was begun with a kernel that this GPU cannot run, or that computes something else here.',
    help: 'resume on the GPU and driver the run was begun with, or give `--force` to go on with other kernels; the result is then marked as not exact',
  },
  'bad-tuning': {
    about: 'A file with measurements of kernels cannot be used.',
    help: 'delete it, or measure again with `mos tune`',
  },
  // plans
  'plan-damaged': {
    about: 'A plan folder lacks a file, or a file in it was changed after it was compiled.',
    help: HELP['plan-damaged'],
  },
  'plan-invalid': {
    about: 'plan.json does not describe a plan that can be run.',
    help: HELP['plan-invalid'],
  },
  'plan-version': {
    about: 'The plan was written by another version of the format.',
    help: HELP['plan-version'],
  },
  'kernel-rejected': {
    about: 'The GPU driver does not accept a kernel.',
    help: HELP['kernel-rejected'],
  },
  'batch-too-large': {
    about: 'A batch is beyond what one dispatch can cover.',
    help: HELP['batch-too-large'],
  },
  // training
  'not-finite-loss': {
    about: 'The loss or the gradient stayed NaN or infinite for several steps in a row.',
    help: 'lower the learning rate, or check the data',
  },
  'not-finite-parameters': {
    about: 'Trained numbers became NaN or infinite. The last checkpoint was saved before that.',
    help: 'lower the learning rate',
  },
  'resume-mismatch': {
    about: 'The checkpoint to go on from belongs to another program, other data or another base model.',
    help: 'restore what changed, or give `--force` to go on all the same; the result is then marked as not exact',
  },
  'checkpoint-damaged': {
    about: 'No checkpoint of a run is whole. Nothing was deleted.',
    help: 'restore the folder from a copy, or train from the start without `--resume`',
  },
  'folder-in-use': {
    about: 'Another process is training into the same folder.',
    help: 'wait until it ends, or give another folder with `--out`',
  },
  'no-training': {
    about: 'The program or plan says nothing to train on.',
    help: 'add a `data` block, or give `--data FILE`',
  },
  'prompt-too-long': {
    about: 'A prompt and the tokens to be generated do not fit the context the plan was compiled for.',
    help: HELP['prompt-too-long'],
  },
  'no-evaluation': {
    about: 'The program or plan has no `eval` block.',
    help: 'add one: `eval NAME: on "test.jsonl" < max_tokens: 32 >`',
  },
  'not-lora': {
    about: 'An adapter has no form as plain LoRA: a mixture, or an expert in a curved space.',
    help: 'for such a form, train with `experts: euclid` and no router; `adapter/` holds everything mos itself needs',
  },
  'evaluation-mismatch': {
    about: 'The answers on record were given to other questions, in another form, or by another model.',
    help: 'give another folder with `--out`, or delete the file to ask again',
  },
  'adapter-mismatch': {
    about: 'An adapter file does not fit the plan.',
    help: HELP['adapter-mismatch'],
  },
  // worker process
  'worker-hung': {
    about: 'The process that does the GPU work gave no sign of life for too long and was stopped.',
    help: 'run the command again; `mos train --resume` goes on from the last checkpoint',
  },
  'worker-died': {
    about: 'The process that does the GPU work ended unexpectedly.',
    help: 'run the command again; `mos train --resume` goes on from the last checkpoint',
  },
} as const satisfies Record<string, { about: string; help: string }>;

export type FaultCode = keyof typeof FAULTS;
