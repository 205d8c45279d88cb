/** Where curvature starts, and whether it is learned: a grid of programs that differ in one space, as a template. */
import { format, mos } from 'mos';
import { hyperbolic, learn } from 'mos/builder';

const text = mos.in('examples');

for (const start of [0.01, 0.1, 1]) {
  for (const learned of [false, true]) {
    const space = hyperbolic({ c: learned ? learn({ init: start }) : start });
    const program = text`
      model "models/tiny-qwen2" < dtype: f32 >
      adapter q_proj, o_proj < experts: ${space}, euclid; router: soft >
      data "tasks/tree.train.jsonl" < length: 96 >
      train < steps: 80; lr: 5e-3 >
    `;
    console.log(`// c ${learned ? 'starts at' : 'is'} ${start}\n${format(program)}`);
  }
}
