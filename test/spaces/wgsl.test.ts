/** What is emitted, on the device: the functions it calls, and whole spaces, against float64. */
import { expect } from 'bun:test';
import { readFileSync } from 'node:fs';
import { emitSpaces } from '../../compiler/spaces/emit.ts';
import { evaluator, RADIUS } from '../../compiler/spaces/evaluate.ts';
import { radialSpace } from '../../compiler/spaces/radial.ts';
import { gpu, gpuTest } from '../gpu/harness.ts';
import { probeMaps } from '../kernels/radial_probe.ts';
import { measure } from './functions.ts';
import { definitionOf } from './space.ts';

/** Rows of the table in docs/spaces.md: function and arguments, then the two errors. */
function documented(): { what: string; errors: number[] }[] {
  const page = readFileSync(new URL('../../docs/spaces.md', import.meta.url), 'utf8');
  const [, table] = page.split('| function | arguments | ULP |');
  const rows = [...table.matchAll(/^\| (.+ \| .+) \| ([\d.]+) \| ([\d.]+) \|$/gm)];
  return rows.map(([, what, ...errors]) => ({ what, errors: errors.map(Number) }));
}

gpuTest('functions to 8 ULP times 1 + condition number, as documented', async () => {
  const measured = await measure();
  if (process.env.SHOW) {
    for (const { text, domain, ulp, scaled } of measured)
      console.log(`| ${text} | ${domain} | ${ulp.toFixed(1)} | ${scaled.toFixed(1)} |`);
  }
  expect(measured.filter(m => !(m.scaled <= 8))).toEqual([]);
  const table = documented();
  expect(table.map(({ what }) => what)).toEqual(measured.map(m => `${m.text} | ${m.domain}`));
  if (!gpu?.software) return;
  // Another processor may fuse what this one does not; a changed function shows all the same.
  const stale = table.filter(({ errors }, row) => {
    const { ulp, scaled } = measured[row];
    return errors.some((said, i) => Math.abs(said - [ulp, scaled][i]) > 0.25 * said + 0.1);
  });
  expect(stale).toEqual([]);
});

const EXAMPLES = ['horn', 'hyplora', 'ball', 'gnomon'];
const spaces = EXAMPLES.map(name =>
  radialSpace(
    definitionOf(readFileSync(new URL(`../../examples/spaces/${name}.mos`, import.meta.url), 'utf8')),
  ),
);

gpuTest(
  'example spaces: values to 2e-6, derivatives to 2e-5 of their size, from norm 0 to 1e18',
  async () => {
    const radii = [
      0,
      1e-12,
      ...Array.from({ length: 193 }, (_, i) => 1.0371e-6 * 10 ** (i / 16)),
      1e9,
      1e14,
      1e18,
    ];
    const points = spaces.flatMap(({ definition }, s) => {
      const stored = definition.parameters[0].domain === 'real' ? [0, 0.3, -0.3, 1e-6] : [-6, -1, 1];
      return [0, 1].flatMap(which =>
        stored
          .map(Math.fround)
          .flatMap(k =>
            radii.map(r => ({ which, space: s + 1, square: Math.fround(r ** 2), stored: [k, -0.5] })),
          ),
      );
    });
    const answers = await probeMaps(emitSpaces(spaces), points);
    const wrong: string[] = [];
    points.forEach(({ which, space, square: q, stored }, i) => {
      const [k] = stored;
      const { definition, lift, drop } = spaces[space - 1];
      const gains = which === 0 ? lift : drop;
      const written = (value: number, domain: string) => (domain === 'real' ? value : Math.exp(value));
      const env = Object.fromEntries(
        definition.parameters.map((p, n) => [p.name, written(stored[n], p.domain)]),
      );
      const { gain: gotGain, bySquare, byStored } = answers[i];
      expect([gotGain, bySquare, ...byStored].every(Number.isFinite)).toBe(true);
      const r = Math.sqrt(q);
      if (r === 0 || r > 1e9) return;
      const value = evaluator({ ...env, [RADIUS]: r });
      const gain = value(gains.gain);
      const euler = value(gains.euler);
      // At a guard the two sides differ, and a radius rounded to float32 may be on either.
      const atGuard = gains.guards.some(g => Math.abs(value(g.left) / value(g.right) - 1) < 1e-5);
      if (atGuard) return;
      const near = (a: number, b: number, size: number, tolerance: number, what: string) => {
        if (!(Math.abs(a - b) <= tolerance * size + 1e-36))
          wrong.push(`${definition.name} ${['lift', 'drop'][which]} k=${k} r=${r}: ${what} ${a}, not ${b}`);
      };
      const amplified = 1 + Math.abs(euler / gain) * (1 + Math.abs(k));
      near(gotGain, gain, Math.abs(gain) * amplified, 2e-6, 'gain');
      // A derivative counts with what it is multiplied by: relative to the gain it changes.
      near(
        (bySquare * 2 * q) / (1 + q),
        euler,
        Math.abs(euler) * amplified + 0.05 * Math.min(r, 1) * gain,
        2e-5,
        'r·∂gain/∂r',
      );
      gains.byStored.forEach((node, n) => {
        const want = value(node);
        near(byStored[n], want, Math.abs(want) * amplified + 0.05 * Math.min(r, 1) * gain, 2e-5, `by ${n}`);
      });
    });
    expect(wrong.slice(0, 8)).toEqual([]);
  },
);
