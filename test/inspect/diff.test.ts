/** What `mos diff` finds: every kind of change under its own heading, and nothing where nothing changed. */
import { describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Plan } from '../../compiler/plan/schema.ts';
import { type Difference, diffPlans } from '../../src/inspect/diff.ts';
import { mos } from '../cli/run.ts';
import { compileSmall, type Text } from '../run/small.ts';

const BASE: Text = {
  adapters: 'adapter q_proj, down_proj < experts: hyperbolic, euclid; router: top1; rank: 4; dropout: 0.1 >',
};
const planOf = (change: Partial<Text> = {}): Plan => compileSmall({ ...BASE, ...change }).plan;
const plan = planOf();
const topics = (found: Difference[]) => [...new Set(found.map(d => d.topic))];

describe('differences', () => {
  test('none between a plan and itself, compiled twice', () => {
    expect(diffPlans(plan, planOf())).toEqual([]);
  });

  test('none for comments and lines', () => {
    const { adapters } = BASE;
    expect(diffPlans(plan, planOf({ adapters: `// the same\n\n\n${adapters}` }))).toEqual([]);
  });

  test('a rank is told once for all modules', () => {
    const found = diffPlans(plan, planOf({ adapters: BASE.adapters.replace('rank: 4', 'rank: 8') }));
    expect(found.find(d => d.what.includes('rank'))).toEqual({
      topic: 'adapters',
      what: 'default, rank of self_attn.q_proj, mlp.down_proj in layers 0-1',
      before: '4, 4',
      after: '8, 8',
    });
    expect(topics(found)).toEqual(['adapters', 'parameters', 'programs', 'kernels', 'memory']);
  });

  test('a module without an adapter has no fields on that side', () => {
    const found = diffPlans(plan, planOf({ adapters: BASE.adapters.replace(', down_proj', '') }));
    const rank = found.find(d => d.what === 'default, rank of mlp.down_proj in layers 0-1');
    expect(rank).toEqual({ topic: 'adapters', what: rank!.what, before: '4, 4' });
  });

  test('a learning rate of curvatures changes the training and nothing else', () => {
    const found = diffPlans(plan, planOf({ train: 'curvature: adam(lr=5e-4)' }));
    expect(topics(found)).toEqual(['training']);
    expect(found[0]).toMatchObject({ what: 'groups.curvature.lr', after: 5e-4 });
  });

  test('a dropout changes kernels, but neither adapters nor parameters', () => {
    const found = diffPlans(plan, planOf({ adapters: BASE.adapters.replace('0.1', '0.2') }));
    expect(topics(found)).toEqual(['programs', 'kernels']);
  });

  test('data and evaluation', () => {
    expect(topics(diffPlans(plan, planOf({ evals: 'eval e: on "e.jsonl" < >' })))).toContain('data');
  });

  test('what no heading covers is told all the same', () => {
    const other = { ...plan, slots: ['renamed'] };
    expect(diffPlans(plan, other)).toEqual([
      { topic: 'other', what: 'slots', before: '["default"]', after: '["renamed"]' },
    ]);
    const [first, ...rest] = plan.programs.forward;
    const more = { ...plan, programs: { ...plan.programs, forward: [first, first, ...rest] } };
    expect(topics(diffPlans(plan, more))).toEqual(['programs']);
    const swapped = { ...plan, programs: { ...plan.programs, forward: [...rest, first] } };
    expect(diffPlans(plan, swapped).length).toBeGreaterThan(0);
  });
});

describe('the command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mos-diff-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const model = resolve('examples/models/tiny-qwen2');
  const file = (name: string, rank: number): string => {
    const path = join(folder, name);
    writeFileSync(path, `adapter q_proj < rank: ${rank} >\n`);
    return path;
  };

  test('exit code 0 for a plan and the file it was compiled from, 1 for another', async () => {
    const [a, b] = [file('a.mos', 2), file('b.mos', 4)];
    expect((await mos(['compile', a, '--model', model, '--out', folder])).code).toBe(0);
    const same = await mos(['diff', a, join(folder, 'a.mosplan'), '--model', model]);
    expect([same.code, same.stdout]).toEqual([0, 'the plans do the same\n']);
    const other = await mos(['diff', a, b, '--model', model, '--json']);
    expect(other.code).toBe(1);
    const { version, same: equal, differences } = JSON.parse(other.stdout);
    expect([version, equal, differences[0].topic]).toEqual([1, false, 'adapters']);
  });
});
