/**
 * Accuracy on the example tasks: the base, a mixture of three geometries, and LoRA of equal total rank, several seeds.
 *
 *   bun bench/tasks.ts [--seeds 3] [--steps N]
 *
 * Runs one training after another through the command line (finished ones in runs/bench are not repeated) and writes
 * bench/results/tasks.json and tasks.md.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { TrainResult } from '../src/run/train.ts';

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '3' }, steps: { type: 'string' } },
});
const root = join(import.meta.dirname, '..');
const PROGRAMS = { mixture: 'examples/tasks.mos', lora: 'examples/tasks-lora.mos' };

type Run = { program: keyof typeof PROGRAMS; seed: number } & Pick<
  TrainResult,
  'loss' | 'steps' | 'seconds' | 'evaluations'
>;

/** Runs `mos VERB …` and returns what it prints with `--json`. */
function cli<T>(...args: string[]): T {
  const { status, stdout } = spawnSync(process.execPath, ['src/cli/main.ts', ...args, '--json'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`mos ${args.join(' ')}: exit code ${status}`);
  return JSON.parse(stdout);
}

function run(program: keyof typeof PROGRAMS, seed: number): Run {
  const out = join(root, 'runs', 'bench', `${program}-${seed}`);
  const saved = join(out, 'result.json');
  if (existsSync(saved)) return JSON.parse(readFileSync(saved, 'utf8'));
  mkdirSync(out, { recursive: true });
  const stop = values.steps ? ['--steps', values.steps] : [];
  const { loss, steps, seconds, evaluations } = cli<TrainResult>(
    'train',
    PROGRAMS[program],
    '--eval',
    '--seed',
    String(seed),
    '--out',
    out,
    ...stop,
  );
  const result: Run = { program, seed, loss, steps, seconds, evaluations };
  writeFileSync(saved, JSON.stringify(result));
  return result;
}

const runs: Run[] = [];
for (let seed = 0; seed < Number(values.seeds); seed++) {
  for (const program of ['mixture', 'lora'] as const) {
    runs.push(run(program, seed));
    report(runs);
  }
}

/** Mean and range over the seeds so far. */
function report(done: Run[]): void {
  const tasks = done[0].evaluations.map(e => e.name);
  const percent = (x: number) => (100 * x).toFixed(1);
  const cell = (program: string, task: string): string => {
    const all = done
      .filter(r => r.program === program)
      .map(r => r.evaluations.find(e => e.name === task)!.after);
    if (all.length === 0) return '';
    const mean = all.reduce((sum, s) => sum + s.accuracy, 0) / all.length;
    return `${percent(mean)} (${all.map(s => `${s.correct}/${s.total}`).join(', ')})`;
  };
  const base = done[0].evaluations.map(
    ({ before }) => `${percent(before.accuracy)} (${before.correct}/${before.total})`,
  );
  const table = [
    `| accuracy, % | ${tasks.join(' | ')} |`,
    `| --- |${' --- |'.repeat(tasks.length)}`,
    `| base | ${base.join(' | ')} |`,
    ...Object.keys(PROGRAMS).map(
      p =>
        `| ${p}, seeds ${done
          .filter(r => r.program === p)
          .map(r => r.seed)
          .join(', ')} | ${tasks.map(t => cell(p, t)).join(' | ')} |`,
    ),
  ].join('\n');
  const steps = done[0].steps;
  writeFileSync(
    join(root, 'bench', 'results', 'tasks.json'),
    `${JSON.stringify({ command: 'bun bench/tasks.ts', runs: done }, null, 1)}\n`,
  );
  writeFileSync(
    join(root, 'bench', 'results', 'tasks.md'),
    `Exact match after ${steps} steps, mean over seeds (correct/questions of each seed). \`bun bench/tasks.ts\`\n\n${table}\n`,
  );
  console.log(table);
}
