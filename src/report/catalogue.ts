/** Every fault that can be met at run time: its code, what it means, and what to do about it. Kept sorted by phase. */
export const FAULTS = {
  // command line
  'unknown-command': { about: 'The first word after `mos` is not a command.', help: 'run `mos help` for the list' },
  'unknown-option': { about: 'An option is not known to this command.', help: 'run the command with `--help`' },
  'bad-argument': { about: 'An argument or option value cannot be used.', help: 'run the command with `--help`' },
  // files
  'file-not-found': { about: 'A file or folder that was named does not exist.', help: 'check the path; paths in a `.mos` file are relative to that file' },
  // devices
  'no-gpu': { about: 'No WebGPU adapter could be opened.', help: 'run `mos devices` to see what was tried' },
  'gpu-feature-missing': { about: 'The GPU lacks a WebGPU feature that the plan needs.', help: 'choose another GPU or compile without that feature' },
  'gpu-limit': { about: 'The GPU allows less than the plan needs.', help: 'use a smaller batch, sequence length or rank, or another GPU' },
  'gpu-out-of-memory': { about: 'The GPU has too little free memory.', help: 'use a smaller batch or sequence length, or a smaller base model' },
  'gpu-error': { about: 'WebGPU refused a command. The state on the GPU can no longer be trusted.', help: 'this is likely a bug of mos; please report it with the message' },
  'gpu-lost': { about: 'The GPU went away: driver reset, removal, or a command that took too long.', help: 'run the command again; training resumes from its last checkpoint' },
  'gpu-broken': { about: 'A small test computation on the GPU gave a wrong result.', help: 'update the graphics driver, or choose another GPU' },
  // worker process
  'worker-hung': { about: 'The process that does the GPU work gave no sign of life for too long and was stopped.', help: 'run the command again; training resumes from its last checkpoint' },
  'worker-died': { about: 'The process that does the GPU work ended unexpectedly.', help: 'run the command again; training resumes from its last checkpoint' },
} as const satisfies Record<string, { about: string; help: string }>;

export type FaultCode = keyof typeof FAULTS;
