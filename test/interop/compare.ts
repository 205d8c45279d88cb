/** `bun test/interop/compare.ts FOLDER`: ours beside what peers.py wrote. Exit code 1 if anything differs. */
import { compareGreedy } from './greedy.ts';
import { compareLora } from './lora.ts';
import { compareNf4 } from './nf4.ts';
import { Report } from './report.ts';
import { compareText } from './text.ts';

const folder = process.argv[2];
const report = new Report();
compareText(folder, report);
compareNf4(folder, report);
await compareGreedy(folder, report);
await compareLora(folder, report);
process.exit(report.failed > 0 ? 1 : 0);
