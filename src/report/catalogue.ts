/** Every fault that can be met at run time: its code, what it means, and what to do about it. Kept sorted by phase. */
export const FAULTS = {
  // files
  'file-not-found': { about: 'A file or folder that was named does not exist.', help: 'check the path; paths in a `.mos` file are relative to that file' },
  // devices
  'no-gpu': { about: 'No WebGPU adapter could be opened.', help: 'run `mos devices` to see what was tried' },
} as const satisfies Record<string, { about: string; help: string }>;

export type FaultCode = keyof typeof FAULTS;
