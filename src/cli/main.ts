#!/usr/bin/env node
/**
 * The program: `mos COMMAND …`. Finds the command, reads its arguments, and turns whatever comes out into an exit code:
 * 0 done, 1 a user's problem (shown as diagnostics), 2 a bug of ours (shown with its stack).
 */
import { realpathSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isSingleFile } from '../host/single-file.ts';
import { fault } from '../report/fault.ts';
import { type Options, readArguments, type Values } from './command.ts';
import { explain, overview } from './commands/help.ts';
import { COMMANDS } from './commands/index.ts';
import { failureOf } from './failure.ts';
import { findCommand } from './find.ts';
import { EXIT } from './supervise.ts';
import { Terminal } from './terminal.ts';

export async function main(args: string[]): Promise<number> {
  const beforeDashes = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  const terminal = new Terminal({ json: beforeDashes.includes('--json') });
  try {
    const [verb, ...rest] = args;
    if (verb === undefined) {
      // Nothing was asked for, so this is no result.
      terminal.note(overview(COMMANDS));
      return EXIT.user;
    }
    if (verb === '--version' || verb === '-V') {
      const { default: manifest } = await import('mos/package.json', { with: { type: 'json' } });
      terminal.out(manifest.version);
      return EXIT.ok;
    }
    if (verb === '--help' || verb === '-h') {
      terminal.out(overview(COMMANDS));
      return EXIT.ok;
    }
    const command = findCommand(verb, COMMANDS);
    const { values, positionals } = readArguments(command, rest);
    if (values.help) {
      terminal.out(explain(command));
      return EXIT.ok;
    }
    checkFolder();
    return await command.run({ values: values as Values<Options>, positionals, terminal });
  } catch (error) {
    const failure = failureOf(error);
    if (failure.kind === 'bug') {
      terminal.bug(failure.message, failure.stack);
      return EXIT.bug;
    }
    terminal.diagnostics(failure.diagnostics);
    return EXIT.user;
  }
}

/** In a folder that was deleted Node throws, and Bun takes its own for the current one. */
function checkFolder(): void {
  try {
    if (statSync('.').ino === statSync(process.cwd()).ino) return;
  } catch {
    // Then it is gone as well.
  }
  throw fault('file-not-found', 'the current folder was deleted', { help: 'change to one that exists' });
}

/** Node knows `import.meta.main` from version 24 on; before, a program is what was named, often by a link to it. */
function isProgram(): boolean {
  if (isSingleFile()) return false;
  const named = process.argv[1];
  return import.meta.main ?? (named !== undefined && realpathSync(named) === fileURLToPath(import.meta.url));
}

// Set, not exited with, so that what was written to a pipe gets out.
if (isProgram()) process.exitCode = await main(process.argv.slice(2));
