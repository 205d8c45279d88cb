/** A plan is a matter of what the program says, not of where and in which order it says it. */
import { expect, test } from 'bun:test';
import { type Compiled, compile } from '../../compiler/index.ts';
import { check } from '../../dsl/index.ts';
import { planHash } from '../../src/run/checkpoint-state.ts';
import { SMALL } from '../run/small.ts';

const PLAIN = `model "m" < >
let bent = kappa(k=learn(init=0.05, share=all));
data "d.jsonl" < length: 32; loss: all >
adapter q_proj, down_proj < rank: 4; alpha: 8; experts: $bent * 2, sphere(c=learn(share=layer)); router: soft >
train < steps: 20; batch: 5 >
`;
const MOVED = `// Said otherwise.
train <
  batch: 5;
  steps: 20
>
data "d.jsonl" < loss: all; length: 32 >
/* Further down: a shared parameter is known by its place in the text. */
let bent = kappa(k=learn(share=all, init=0.05));
model "m" < >
adapter q_proj, down_proj < experts: $bent * 2, sphere(c=learn(share=layer)); router: soft; alpha: 8; rank: 4 >
`;

function compiled(file: string, text: string): Compiled {
  const { program } = check(file, text);
  return compile(program!, SMALL).compiled!;
}

test('comments, white space, order of blocks and fields, and the name of the file change places only', () => {
  const [a, b] = [compiled('a.mos', PLAIN), compiled('b.mos', MOVED)];
  const withoutPlaces = ({ plan }: Compiled) => ({
    ...plan,
    name: '',
    origins: plan.origins.map(({ module }) => module),
  });
  expect(withoutPlaces(b)).toEqual(withoutPlaces(a));
  expect([...b.files]).toEqual([...a.files]);
  expect(planHash(b.plan)).toBe(planHash(a.plan));
});

test.each([
  ['rank: 4', 'rank: 5'],
  ['share=layer', 'share=module'],
  ['share=all', 'share=layer'],
  ['steps: 20', 'steps: 21'],
  ['init=0.05', 'init=0.06'],
])('%s is another program than %s', (from, to) => {
  const [a, b] = [compiled('a.mos', PLAIN).plan, compiled('a.mos', PLAIN.replace(from, to)).plan];
  expect(b.sources.program).not.toBe(a.sources.program);
  expect(planHash(b)).not.toBe(planHash(a));
});
