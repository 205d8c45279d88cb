/** Joins WGSL files by name: shared declarations first, the kernel last. Names are paths without `.wgsl`. */
import { WGSL } from './embedded.generated.ts';

export type WgslName = keyof typeof WGSL;

export function source(...names: WgslName[]): string {
  return names.map(name => WGSL[name]).join('\n');
}
