/** Runs before every test file: puts the software GPU into this process's environment, before anything loads Dawn. */
import { applyInProcess } from '../src/host/environment.ts';

await applyInProcess();
