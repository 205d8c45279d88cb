/**
 * Which spaces does the mixture need, and does the map matter? Every subset of the three spaces, with both maps.
 * Prints the programs; `bun examples/scripts/ablation.ts OUT` compiles them, `bun run train OUT/NAME.mosplan` trains one.
 */
import { compile, format, type Program } from 'mos';
import {
  adapter,
  data,
  euclid,
  evaluate,
  hyperbolic,
  model,
  programIn,
  sphere,
  top2,
  train,
} from 'mos/builder';

/** Every choice of some of `items`, in their order: bit i of a number says whether item i is in. */
function subsets<T>(items: readonly T[]): T[][] {
  const count = 2 ** items.length - 1;
  return Array.from({ length: count }, (_, n) => items.filter((_, i) => ((n + 1) >> i) & 1));
}

const programs: [name: string, program: Program][] = [];
for (const map of ['stereo', 'exp'] as const) {
  const spaces = { hyperbolic: hyperbolic({ map }), sphere: sphere({ map }), euclid };
  for (const names of subsets(['hyperbolic', 'sphere', 'euclid'] as const)) {
    // A flat space has no map: once is enough.
    if (map === 'exp' && names.length === 1 && names[0] === 'euclid') continue;
    const experts = names.map(name => spaces[name]);
    const program = programIn(
      { folder: 'examples' },
      model('models/tiny-qwen2', { dtype: 'f32' }),
      adapter(['q_proj', 'o_proj', 'mlp.*_proj'], {
        // One total rank for all, so that they have the same number of parameters.
        rank: 24 / experts.length,
        experts,
        ...(experts.length > 1 && { router: top2({ aux: experts.length > 2 ? 0.01 : 0 }) }),
      }),
      data('tasks/tree.train.jsonl', { length: 96 }),
      train({ steps: 80, lr: 5e-3 }),
      evaluate('tree', 'tasks/tree.test.jsonl', { limit: 50, max_tokens: 40, batch: 25 }),
    );
    programs.push([`${names.join('-')}-${map}`, program]);
  }
}

const out = process.argv[2];
for (const [name, program] of programs) {
  if (out === undefined) console.log(`// ${name}\n${format(program)}`);
  else {
    const { plan } = await compile(program, { out: `${out}/${name}.mosplan` });
    console.log(`${name}: ${plan.parameters.length} tensors`);
  }
}
