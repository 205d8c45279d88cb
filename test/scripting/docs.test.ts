/** The examples of docs/sweeps.md and docs/scripting.md do what stands under them. */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check } from 'mos';

const ROOT = join(import.meta.dir, '../..');

/** Fenced blocks of a language, each with the one that follows it. */
function blocks(
  path: string,
  language: string,
  then: string,
): [line: number, text: string, expected: string][] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const fences = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(match => ({
    line: text.slice(0, match.index).split('\n').length,
    language: match[1],
    body: match[2] ?? '',
  }));
  return fences.flatMap((fence, i) => {
    const next = fences[i + 1];
    return fence.language === language
      ? [[fence.line, fence.body, next?.language === then ? next.body : '']]
      : [];
  });
}

test.each(blocks('docs/sweeps.md', 'mos', 'names'))('docs/sweeps.md:%d', (_, text, expected) => {
  const { variants, diagnostics } = check('docs.mos', text, { needs: { model: false } });
  expect(diagnostics).toEqual([]);
  expect(variants?.map(({ name }) => name)).toEqual(expected.trim().split('\n'));
});

test.each(blocks('docs/scripting.md', 'ts', 'text'))('docs/scripting.md:%d', (_, text, expected) => {
  const child = Bun.spawnSync([process.execPath, '-e', text], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: '1' },
  });
  expect(child.stderr.toString()).toBe('');
  expect(child.stdout.toString().trim()).toBe(expected.trim());
});

test('examples/ablation.mos: every question is a sweep of its own, and no two variants are the same in it', () => {
  const text = readFileSync(join(ROOT, 'examples/ablation.mos'), 'utf8');
  const { variants = [], diagnostics } = check('examples/ablation.mos', text);
  expect(diagnostics).toEqual([]);
  expect(new Set(variants.map(({ sweep }) => sweep)).size).toBe(12);
  const all = check('examples/ablation.mos', text.replace('// sweep all', 'sweep all'));
  expect(all.variants?.filter(({ sweep }) => sweep === 'all')).toHaveLength(39);
  expect(all.diagnostics.map(({ code }) => code)).toEqual(['equal-variants']);
});
