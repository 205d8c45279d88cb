/** The command table, in the order of help. A command loads what is heavy inside its `run`. */
import type { Command } from '../command.ts';
import { devices } from './devices.ts';
import { helpFor } from './help.ts';

export const COMMANDS: readonly Command[] = [devices, helpFor(() => COMMANDS)];
