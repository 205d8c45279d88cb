/** Starts the real program, or a fixture, as a user's shell would. */
import { join } from 'node:path';

const ROOT = join(import.meta.dir, '../..');

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Variables on top of this process's environment. */
  env?: Record<string, string>;
  /** Sees stderr as it grows, and the process. */
  onStderr?: (soFar: string, process: Bun.Subprocess) => void;
}

export function mos(args: string[], options: RunOptions = {}): Promise<Outcome> {
  return run(['src/cli/main.ts', ...args], options);
}

export function misbehave(args: string[], options: RunOptions = {}): Promise<Outcome> {
  return run(['test/cli/fixtures/misbehave.ts', ...args], options);
}

async function run(args: string[], { env = {}, onStderr }: RunOptions): Promise<Outcome> {
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: ROOT,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, NO_COLOR: '1', ...env },
  });
  let stderr = '';
  const decoder = new TextDecoder();
  const readStderr = (async () => {
    for await (const chunk of child.stderr) {
      stderr += decoder.decode(chunk, { stream: true });
      onStderr?.(stderr, child);
    }
  })();
  const [stdout] = await Promise.all([new Response(child.stdout).text(), readStderr]);
  await child.exited;
  return { code: child.exitCode, stdout, stderr };
}
