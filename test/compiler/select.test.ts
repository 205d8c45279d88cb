/** Which modules an adapter lands on, and what is said when it fits none, too many, or not together with another. */
import { describe, expect, test } from 'bun:test';
import { compile } from '../../compiler/index.ts';
import { select } from '../../compiler/select.ts';
import { parseConfig } from '../../src/model/config.ts';
import { programOf, SMALL } from '../run/small.ts';

/** Paths without `model.layers.`, of the first block. */
function matched(adapters: string): string[] {
  const { matched, diagnostics } = select(programOf({ adapters }), SMALL);
  expect(diagnostics).toEqual([]);
  return matched[0].map(l => l.path.replace('model.layers.', ''));
}

const problems = (adapters: string, shape = SMALL) => {
  const { compiled, diagnostics } = compile(programOf({ adapters }), shape);
  expect(compiled === undefined).toBe(diagnostics.length > 0);
  return diagnostics;
};

const both = (name: string) => [`0.${name}`, `1.${name}`];

describe('targets', () => {
  test('a bare word is the end of a path, in whole components', () => {
    expect(matched('adapter q_proj < >')).toEqual(both('self_attn.q_proj'));
    expect(matched('adapter mlp.down_proj < >')).toEqual(both('mlp.down_proj'));
    expect(problems('adapter proj < >')[0].code).toBe('no-module-matches');
  });

  test('globs', () => {
    expect(matched('adapter "*.q_proj" < >')).toEqual(both('self_attn.q_proj'));
    expect(matched('adapter "?_proj" layers 0 < >')).toEqual(
      ['q', 'k', 'v', 'o'].map(n => `0.self_attn.${n}_proj`),
    );
    expect(matched('adapter "mlp.{gate,up}_proj" layers 1 < >')).toEqual([
      '1.mlp.gate_proj',
      '1.mlp.up_proj',
    ]);
    expect(matched('adapter "{self_attn.{q,k},mlp.up}_proj" layers 0 < >')).toEqual([
      '0.self_attn.q_proj',
      '0.self_attn.k_proj',
      '0.mlp.up_proj',
    ]);
    expect(matched('adapter "model.layers.1.*" < >')).toHaveLength(7);
    // a point is a point, not any character
    expect(problems('adapter "self.attn.q_proj" < >')[0].code).toBe('no-module-matches');
  });

  test('a glob of many stars takes no time to speak of', () => {
    expect(problems(`adapter "${'*'.repeat(24)}x" < >`)[0].code).toBe('no-module-matches');
  });

  test('all-linear is every linear layer of the decoder, once', () => {
    const paths = matched('adapter all-linear, q_proj < >');
    expect(paths).toHaveLength(14);
    expect(new Set(paths).size).toBe(14);
    expect(paths).not.toContain('lm_head');
  });

  test('layers', () => {
    expect(matched('adapter q_proj layers 1 < >')).toEqual(['1.self_attn.q_proj']);
    expect(matched('adapter q_proj layers 0..1 < >')).toHaveLength(2);
    expect(matched('adapter q_proj layers 0, 1 < >')).toHaveLength(2);
    const [beyond] = problems('adapter q_proj layers 1..2 < >');
    expect(beyond).toMatchObject({
      code: 'layer-out-of-range',
      message: 'layer 2 does not exist: the model has layers 0 to 1',
    });
    expect(beyond.span).toMatchObject({ line: 4, column: 23 });
  });

  test('a target that matches nothing lists the modules and the nearest of them', () => {
    const [diagnostic] = problems('adapter q_porj < >');
    expect(diagnostic).toMatchObject({
      code: 'no-module-matches',
      message: '`q_porj` matches no linear layer of the model',
      help: 'replace it with `q_proj`',
      notes: [
        'linear layers in each decoder layer: self_attn.q_proj, self_attn.k_proj, self_attn.v_proj, self_attn.o_proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj',
      ],
    });
    expect(diagnostic.span).toMatchObject({ line: 4, column: 9 });
    expect(problems('adapter c_attn < >')[0].help).not.toContain('replace');
  });
});

describe('adapters together', () => {
  test('two of one name on one module: both places, once', () => {
    const found = problems('adapter all-linear < >\nadapter q_proj, k_proj < >');
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      code: 'overlapping-adapters',
      span: { line: 5 },
      related: [{ span: { line: 4 }, message: 'the first one' }],
    });
  });

  test('of different names they add up, each with its slot', () => {
    const { slots, placements } = select(
      programOf({ adapters: 'adapter math: q_proj < >\nadapter q_proj < >\nadapter math: k_proj < >' }),
      SMALL,
    );
    expect(slots).toEqual(['math', 'default']);
    expect(placements.get('model.layers.0.self_attn.q_proj')!.map(p => p.slot)).toEqual([0, 1]);
    expect(placements.get('model.layers.0.self_attn.k_proj')!.map(p => p.slot)).toEqual([0]);
  });

  test('different dropout on one input', () => {
    const found = problems('adapter q_proj < dropout: 0.1 >\nadapter v_proj < dropout: 0.2 >');
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      code: 'mixed-dropout',
      span: { line: 5 },
      related: [{ span: { line: 4 } }],
    });
    expect(problems('adapter q_proj < dropout: 0.1 >\nadapter o_proj < dropout: 0.2 >')).toEqual([]);
  });
});

describe('sizes', () => {
  test('a rank beyond the smaller side of a layer', () => {
    // k and v have 16 outputs, everything else at least 32
    expect(problems('adapter k_proj < rank: 16 >')).toEqual([]);
    const found = problems('adapter q_proj, k_proj, v_proj < rank: 4; experts: euclid, sphere(rank=17) >');
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      code: 'rank-too-large',
      message: 'rank 17 exceeds 16, the smaller side of `model.layers.0.self_attn.k_proj` (32 to 16)',
    });
    expect(problems('adapter q_proj < rank: 32 >')).toEqual([]);
    expect(problems('adapter q_proj < rank: 33; experts: euclid >').map(d => d.code)).toEqual([
      'rank-too-large',
    ]);
  });

  test('more experts than a routing record holds', () => {
    expect(problems('adapter q_proj < rank: 2; experts: euclid * 16 >')).toEqual([]);
    expect(problems('adapter q_proj < rank: 2; experts: euclid * 17 >').map(d => d.code)).toEqual([
      'too-many-experts',
    ]);
  });

  test('samples longer than the model can see are cut to what it can', () => {
    const short = parseConfig({
      model_type: 'llama',
      hidden_size: 32,
      intermediate_size: 48,
      num_hidden_layers: 1,
      num_attention_heads: 4,
      vocab_size: 61,
      max_position_embeddings: 24,
    });
    const { compiled } = compile(programOf({ adapters: 'adapter q_proj < >', data: 'length: 40' }), short);
    const { training, data, symbols, buffers } = compiled!.plan;
    expect([training!.length, data!.length]).toEqual([24, 24]);
    expect(symbols.tokens).toBeGreaterThanOrEqual(training!.batch * training!.length);
    expect(buffers.find(b => b.name === 'ids')!.bytes).toBeGreaterThanOrEqual(
      4 * training!.batch * training!.length,
    );
  });
});
