/** A file with its defaults filled in is a valid program, in style, and the same one. */
import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { check, fillDefaults, format, meaningOf, type Program } from '../../dsl/index.ts';
import { LINE, TINY } from './tiny.ts';

const files: Record<string, string> = { 'lib.mos': 'let shared = sphere(c=learn);' };
const options = {
  needs: { model: false },
  readFile: (path: string) => files[path] ?? (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
};

const meaning = (program: Program | undefined): unknown => program && JSON.parse(meaningOf(program));

function filled(text: string, notes: string[] = [], file = 'main.mos'): string {
  const before = check(file, text, options);
  expect(before.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  if (!before.program) throw new Error('no program');
  const full = fillDefaults(file, text, before.program, { adapterNotes: () => notes });
  const after = check(file, full, options);
  // Nothing is said of it that was not said before.
  expect(after.diagnostics.map(({ code }) => code)).toEqual(before.diagnostics.map(({ code }) => code));
  expect(meaning(after.program)).toEqual(meaning(before.program));
  const variants = (checked: typeof before) =>
    checked.variants?.map(({ name, program }) => [name, meaning(program)]);
  expect(variants(after)).toEqual(variants(before));
  expect(format('main.mos', full).text).toBe(full);
  // What is full stays as it is.
  if (notes.length === 0 && after.program) {
    const code = (of: string) => of.replace(/^ *\/\/.*\n/gm, '').replace(/\n+/g, '\n');
    expect(code(fillDefaults('main.mos', full, after.program))).toBe(code(full));
  }
  return full;
}

describe('means the same', () => {
  test.each([...new Bun.Glob('examples/*.mos').scanSync()])('%s', path => {
    filled(readFileSync(path, 'utf8'), ['matches 3 modules'], path);
  });

  test.each([
    TINY,
    LINE,
    'adapter q_proj<>',
    'adapter q_proj < experts: euclid > train < curvature: sgd; schedule: constant > // end',
    'adapter q_proj < experts: sphere(), kappa(k=0.5); router: top1; /* a */ rank: 3 /* b */ ; ; // c\n>',
    'let a = top2; adapter q_proj < experts: sphere * 2; router: $a > adapter v_proj < router: $a >',
    'let k = learn; adapter q_proj < experts: sphere(c=$k), kappa(k=$k) >',
    'use "lib.mos"; adapter q_proj < experts: $shared, euclid >',
    'let two = sphere; adapter q_proj < experts: $two * 2 > sweep < experts.map: [stereo, exp]; adapter.rank: [2, 4] >',
    'adapter q_proj < > sweep < experts: [[euclid], [hyperbolic], [hyperbolic, sphere]]; seed: [1, 2] >',
    'space t(c: positive, k: real = 2) < lift(r) = atan(sqrt(c)*r)/sqrt(c); drop(r) = tan(sqrt(c)*r)/sqrt(c) > adapter q < experts: t(k=1), t, euclid >',
    'model "m" < > data "d.jsonl" < > adapter x: "*.{q,k}_proj" layers 0..2 < > eval e: on "e.jsonl" < >',
  ])('%s', text => void filled(text));
});

test('says what is left out', () => {
  const full = filled(LINE, ['matches 2 modules', '  q_proj in layers 0..1']);
  expect(full).toStartWith('// matches 2 modules\n//   q_proj in layers 0..1\nadapter q_proj <\n');
  for (const part of [
    'hyperbolic(c=learn(init=0.1), map=stereo, scale=fixed),',
    'router: top2(aux=0.01, gate=renorm, z=0, noise=0, on=input);',
    'alpha: 48;',
    '// model: none here; give `--model DIR`',
    'schedule: cosine(warmup=5%, floor=0%);',
  ])
    expect(full).toContain(part);
  expect(filled('adapter q_proj < experts: sphere >')).toContain('// router: none, as there is one expert');
});
