/** The example scripts run, under every runtime that is at hand, and print programs that mean something. */
import { describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, compile, type Program } from 'mos';

const ROOT = join(import.meta.dir, '../..');

function run(runtime: string[], script: string, ...args: string[]) {
  const child = Bun.spawnSync([...runtime, `examples/scripts/${script}`, ...args], { cwd: ROOT });
  return { code: child.exitCode, out: child.stdout.toString(), error: child.stderr.toString() };
}

/** Node that runs TypeScript, Deno: where they are installed. */
function others(): [string, string[]][] {
  const version = (command: string, ...args: string[]) => {
    const path = Bun.which(command);
    return path ? Bun.spawnSync([path, ...args]).stdout.toString() : '';
  };
  const [major = 0, minor = 0] = (/v(\d+)\.(\d+)/.exec(version('node', '--version')) ?? [])
    .slice(1)
    .map(Number);
  return [
    ...(major > 22 || (major === 22 && minor >= 18) ? [['node', ['node']] as [string, string[]]] : []),
    ...(version('deno', '--version') ? [['deno', ['deno', 'run', '-A']] as [string, string[]]] : []),
  ];
}

/** The programs of an output: each starts with its model. */
function programs(out: string): Program[] {
  return out
    .split(/^(?=model )/m)
    .filter(text => text.startsWith('model'))
    .map(text => {
      const { program, diagnostics } = check('examples/printed.mos', text);
      expect(diagnostics).toEqual([]);
      return program as Program;
    });
}

const EXPECTED = { 'ablation.ts': 13, 'curvature-grid.ts': 6, 'from-model.ts': 1 };

const OTHERS = others();
// They take the package as it is published.
if (OTHERS.length > 0) Bun.spawnSync([process.execPath, 'run', 'build'], { cwd: ROOT });

describe.each(Object.entries(EXPECTED))('%s', (script, count) => {
  const bun = run([process.execPath], script);

  test('prints programs', () => {
    expect([bun.code, bun.error]).toEqual([0, '']);
    const found = programs(bun.out);
    expect(found).toHaveLength(count);
    expect(new Set(found.map(program => JSON.stringify(program))).size).toBe(count);
  });

  test('says the same under Node and Deno', () => {
    for (const [name, runtime] of OTHERS) {
      const { code, out, error } = run(runtime, script);
      expect([name, code, code === 0 ? '' : error]).toEqual([name, 0, '']);
      expect(out).toBe(bun.out);
    }
  });
});

test('ablation.ts writes plans', () => {
  const out = mkdtempSync(join(tmpdir(), 'mos-scripts-'));
  try {
    const { code, error } = run([process.execPath], 'ablation.ts', out);
    expect([code, error]).toEqual([0, '']);
    const plans = readdirSync(out);
    expect(plans).toHaveLength(13);
    expect(existsSync(join(out, 'hyperbolic-sphere-euclid-exp.mosplan/plan.json'))).toBe(true);
  } finally {
    rmSync(out, { recursive: true });
  }
}, 60_000);

test('from-model.ts fits its model', async () => {
  const { out } = run([process.execPath], 'from-model.ts');
  const { program } = check('printed.mos', out);
  // Paths in it are relative to the folder it was run in, which is the tests' own.
  const { plan, diagnostics } = await compile(program as Program, {
    model: join(ROOT, 'examples/models/tiny-qwen2'),
  });
  expect(diagnostics).toEqual([]);
  expect(plan.sites).toHaveLength(30);
});
