/** `bun test/interop/greedy.ts FOLDER`: our greedy generations beside those that models.py wrote. Exit code 1 if they differ. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../../compiler/index.ts';
import { openDevice } from '../../src/gpu/device.ts';
import { openCheckpoint } from '../../src/model/checkpoint.ts';
import { Executor } from '../../src/runtime/executor.ts';
import { generate } from '../../src/runtime/generate.ts';
import { refresh } from '../../src/runtime/session.ts';
import { bareProgram } from '../../src/verify/program.ts';

const folder = process.argv[2];
const { prompts, tokens, models } = JSON.parse(readFileSync(join(folder, 'greedy.json'), 'utf8')) as {
  prompts: number[][];
  tokens: number;
  models: Record<string, number[][]>;
};
for (const [name, wanted] of Object.entries(models)) {
  const checkpoint = openCheckpoint(join(folder, 'models', name));
  const { plan, files } = compile(bareProgram('', [], { batch: 1 }, 64), checkpoint.shape).compiled!;
  const opened = await openDevice({ limits: plan.requires.limits });
  const executor = await Executor.open(plan, files, opened, checkpoint.source(),
  );
  await refresh(executor);
  const got = await generate(executor, prompts, { maxTokens: tokens, eos: [] });
  const same = JSON.stringify(got) === JSON.stringify(wanted);
  console.log(
    `${name}: ${same ? 'the same' : 'DIFFERENT'}, ${prompts.length} greedy generations of ${tokens} tokens`,
  );
  if (!same) {
    console.log(`  ours   ${JSON.stringify(got)}\n  theirs ${JSON.stringify(wanted)}`);
    process.exitCode = 1;
  }
  executor.close();
  checkpoint.close();
}
process.exit();
