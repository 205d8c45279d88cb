/** A program that `bun build --compile` made: code, Dawn and the software GPU in one file, which is also its own worker. */

/** The argument that makes it the worker. */
export const AS_WORKER = '--as-worker';

/** Modules of such a file have addresses in Bun's own file system. */
export const isSingleFile = (): boolean => /\$bunfs|~BUN/.test(import.meta.url);

let archive: string | undefined;

/** Tells where in the file the archive of the software GPU is. */
export function provideArchive(path: string): void {
  archive = path;
}

export const providedArchive = (): string | undefined => archive;
