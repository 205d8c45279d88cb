/** Faults of what runs without the rest of `mos`: class and codes, without the pages about them. */
import type { Diagnostic } from '../../dsl/diagnostics/diagnostic.ts';

const SAME_MODEL = 'check that config.json and all weight files belong to the same model';
const COMPILE = 'compile the `.mos` file again';

/** What to do about the faults that executing a plan can meet; catalogue.ts has the others. */
export const HELP = {
  'adapter-mismatch': 'use the adapter with the plan it was trained with',
  'bad-safetensors': 'download or export the file again',
  'batch-too-large': 'use a smaller `batch` or `length`',
  'gpu-error': 'this is likely a bug of mos; please report it with the message',
  'gpu-limit': 'use a smaller batch, sequence length or rank, or another GPU',
  'gpu-lost': 'run the command again; `mos train --resume` goes on from the last checkpoint',
  'gpu-out-of-memory': 'use a smaller batch or sequence length, or a smaller base model',
  'kernel-rejected':
    'update the graphics driver, or choose another GPU; the note names the line it comes from',
  'missing-tensor': SAME_MODEL,
  'plan-damaged': COMPILE,
  'plan-invalid': COMPILE,
  'plan-version': `${COMPILE} with this version`,
  'prompt-too-long': 'shorten the prompt, lower `max_tokens`, or raise `length` and compile again',
  'unsupported-dtype': 'export the weights as float32, float16 or bfloat16',
  'weights-out-of-range': 'write `dtype: bf16` or `dtype: f32` in the `model` block',
  'wrong-tensor-shape': SAME_MODEL,
} as const;

export class Fault extends Error {
  readonly diagnostics: Diagnostic[];
  /** `message`: for whoever reads the exception and not its diagnostics. */
  constructor(diagnostics: Diagnostic[], message?: string) {
    super(message ?? diagnostics.map(d => `${d.code}: ${d.message}`).join('\n'));
    // What it is called where it is caught: the package exports it by this name.
    this.name = 'MosError';
    this.diagnostics = diagnostics;
  }
}

/** A fault; `extra` gives place, notes or a more specific help. */
export function fault(code: keyof typeof HELP, message: string, extra: Partial<Diagnostic> = {}): Fault {
  return new Fault([{ code, severity: 'error', message, help: HELP[code], ...extra }]);
}
