/** PEFT's form of plain LoRA: there and back, and what has no such form. That PEFT computes the same is test/interop. */
import { afterAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSafetensors } from '../../src/model/safetensors.ts';
import { exportPeft, importPeft } from '../../src/run/peft-file.ts';
import { faultOf } from '../fault-of.ts';
import { compileSmall, randomParameters } from './small.ts';

const root = mkdtempSync(join(tmpdir(), 'mos-peft-'));
afterAll(() => rmSync(root, { recursive: true }));

const planOf = (adapters: string) => compileSmall({ adapters }).plan;
const LORA = `
adapter q_proj, "mlp.*_proj" layers 0 < rank: 4; alpha: 6; experts: euclid >
adapter v_proj < rank: 3; alpha: 9; rslora: true; experts: euclid >`;
const plan = planOf(LORA);
const flat = randomParameters(plan, 5);

/** An export with its configuration changed. */
function changed(name: string, change: Record<string, unknown>): string {
  const [folder] = exportPeft(join(root, name), plan, flat, root);
  const path = join(folder, 'adapter_config.json');
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }));
  return folder;
}

describe('plain LoRA', () => {
  const [folder] = exportPeft(join(root, 'lora'), plan, flat, root);
  const config = JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8'));

  test('goes there and back, to the bit', () => {
    expect(importPeft(folder, plan)).toEqual(flat);
  });

  test('has the names, shapes and scales of PEFT', () => {
    const file = openSafetensors(join(folder, 'adapter_model.safetensors'));
    const name = 'base_model.model.model.layers.0.mlp.down_proj';
    expect(file.tensor(`${name}.lora_A.weight`).shape).toEqual([4, 48]);
    expect(file.tensor(`${name}.lora_B.weight`).shape).toEqual([32, 4]);
    expect([...file.metadata]).toEqual([['format', 'pt']]);
    file.close();
    expect(config).toMatchObject({ peft_type: 'LORA', r: 4, lora_alpha: 6, use_rslora: false, bias: 'none' });
    const module = 'model.layers.1.self_attn.v_proj';
    expect(config.rank_pattern[module]).toBe(3);
    // alpha / √rank, which the configuration says as alpha / rank
    expect(config.alpha_pattern[module] / 3).toBeCloseTo(9 / Math.sqrt(3), 10);
    expect(config.target_modules).toContain(module);
    expect(Object.keys(config)).toEqual(Object.keys(config).toSorted());
  });

  test('several adapters are several folders', () => {
    const two = planOf('adapter q_proj < experts: euclid > adapter math: q_proj < experts: euclid >');
    const folders = exportPeft(join(root, 'two'), two, randomParameters(two, 1), root);
    expect(folders).toEqual([join(root, 'two'), join(root, 'two', 'math')]);
    expect(faultOf(() => importPeft(folders[0], two))).toMatch(/^adapter-mismatch: the plan has 2 adapters/);
  });
});

describe('what is no LoRA is refused', () => {
  const CASES: [adapters: string, message: RegExp][] = [
    ['adapter q_proj < experts: sphere >', /^not-lora: the expert of `.*q_proj` is sphere/],
    ['adapter q_proj < experts: euclid, hyperbolic >', /^not-lora: `.*` has 2 experts .*euclid, hyperbolic/],
    ['adapter q_proj < experts: euclid * 2; router: soft >', /^not-lora: .* has 2 experts/],
  ];
  for (const [adapters, message] of CASES)
    test(adapters, () => {
      const curved = planOf(adapters);
      const out = join(root, 'refused');
      expect(faultOf(() => exportPeft(out, curved, randomParameters(curved, 1), root))).toMatch(message);
      expect(existsSync(out)).toBe(false);
    });
});

describe('a folder of PEFT that does not fit', () => {
  const CASES: [name: string, change: Record<string, unknown>, message: RegExp][] = [
    ['another method', { peft_type: 'LOHA' }, /`peft_type` of .* is not LORA/],
    ['DoRA', { use_dora: true }, /`use_dora` of .* is not supported/],
    ['biases', { bias: 'all' }, /`bias` of .* is not supported/],
    ['trained modules', { modules_to_save: ['lm_head'] }, /`modules_to_save` of .* is not supported/],
    ['another alpha', { lora_alpha: 7 }, /multiplies `.*` by 1.75, the plan by 1.5/],
    ['a pattern', { alpha_pattern: { 'layers\\.[01]': 3 } }, /is not a plain name/],
  ];
  for (const [name, change, message] of CASES)
    test(name, () => expect(faultOf(() => importPeft(changed(name, change), plan))).toMatch(message));

  test('too few tensors, too many, of another shape', () => {
    const [folder] = exportPeft(join(root, 'other'), plan, flat, root);
    const fewer = planOf('adapter q_proj, "mlp.*_proj" layers 0 < rank: 4; alpha: 6; experts: euclid >');
    expect(faultOf(() => importPeft(folder, fewer))).toMatch(/has no place for tensor `.*v_proj/);
    const more = planOf(`${LORA} adapter o_proj < rank: 4; alpha: 6; experts: euclid >`);
    expect(faultOf(() => importPeft(folder, more))).toMatch(/has no tensor `.*o_proj/);
    const wider = planOf(LORA.replace('rank: 4; alpha: 6', 'rank: 8; alpha: 12'));
    expect(faultOf(() => importPeft(folder, wider))).toMatch(/is 4×32 where the plan expects 8×32/);
  });
});
