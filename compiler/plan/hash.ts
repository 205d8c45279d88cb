/** SHA-256 as lower-case hex: names kernels and fingerprints sources. */
import { createHash } from 'node:crypto';

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
