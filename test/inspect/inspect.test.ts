/** What `mos inspect` says of a plan: checked against the plan's own tables, and on plans from strangers. */
import { describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Plan } from '../../compiler/plan/schema.ts';
import { memoryOverTime } from '../../src/inspect/lives.ts';
import { reportPage } from '../../src/inspect/page.ts';
import { reportOn, sizeText } from '../../src/inspect/report.ts';
import { mos } from '../cli/run.ts';
import { compileSmall } from '../run/small.ts';

const { plan, files } = compileSmall({
  adapters: 'adapter q_proj, down_proj < experts: hyperbolic, euclid; router: top1; rank: 4 >',
});
const report = reportOn(plan, files);

describe('memory over time', () => {
  /** A plan of one program over two scratch buffers; letters are accesses in the order of the bindings. */
  function scratchPlan(
    steps: [buffer: number, access: 'read' | 'write' | 'read_write', bytes: number][][],
  ): Plan {
    return {
      buffers: [
        { name: 'a', role: 'scratch', bytes: 64 },
        { name: 'b', role: 'scratch', bytes: 64 },
      ],
      kernels: steps.map(step => ({ bindings: step.map(([, access]) => ({ name: 'x', access })) })),
      programs: {
        p: steps.map((step, i) => ({
          variants: [{ kernel: i }],
          bindings: step.map(([buffer, , bytes]) => ({ buffer, offset: 0, bytes })),
        })),
      },
    } as unknown as Plan;
  }
  const live = (plan: Plan) => memoryOverTime(plan).map(m => m.live);

  test('a buffer is in use from its first write to its last read, and free between two lives', () => {
    const steps = scratchPlan([
      [[0, 'write', 64]],
      [
        [0, 'read', 64],
        [1, 'write', 32],
      ],
      [[1, 'read', 32]],
      [[0, 'write', 16]],
      [[0, 'read', 16]],
    ]);
    expect(live(steps)).toEqual([64, 96, 32, 16, 16]);
  });

  test('writes without a read between them are one life, as of a value made piece by piece', () => {
    const pieces = scratchPlan([
      [[0, 'write', 32]],
      [[1, 'write', 8]],
      [[0, 'write', 64]],
      [
        [0, 'read', 64],
        [1, 'read_write', 8],
      ],
    ]);
    expect(live(pieces)).toEqual([64, 72, 72, 72]);
  });

  test('never more than is allocated, and nothing that is bound is missing', () => {
    const { scratch, moments, peak } = report.memory;
    expect(moments).toHaveLength(Object.values(plan.programs).flat().length);
    expect(peak?.live).toBe(Math.max(...moments.map(m => m.live)));
    for (const { program, dispatch, live } of moments) {
      expect(live).toBeLessThanOrEqual(scratch);
      const bound = plan.programs[program][dispatch].bindings.filter(
        b => plan.buffers[b.buffer].role === 'scratch',
      );
      expect(live).toBeGreaterThanOrEqual(bound.reduce((sum, b) => sum + b.bytes, 0));
    }
  });
});

describe('the report', () => {
  test('counts what the plan holds', () => {
    expect(report.programs.map(p => [p.name, p.dispatches.length])).toEqual(
      Object.entries(plan.programs).map(([name, dispatches]) => [name, dispatches.length]),
    );
    expect(report.kernels.reduce((sum, k) => sum + k.uses, 0)).toBe(
      Object.values(plan.programs)
        .flat()
        .flatMap(d => d.variants).length,
    );
    expect(report.origins.reduce((sum, o) => sum + o.dispatches, 0)).toBe(report.memory.moments.length);
    expect(report.buffers.reduce((sum, b) => sum + b.bytes, 0)).toBe(plan.requires.bytes);
    expect(report.kernels.every(k => k.wgsl === files.get(k.file) && k.wgsl !== '')).toBe(true);
  });

  test('places are those of the blocks in the text', () => {
    const adapter = report.origins.find(o => o.line === 4);
    expect(adapter?.file).toBe('small.mos');
    expect(adapter?.modules).toContain('model.layers.0.mlp.down_proj');
  });

  test('sizes are written as they are computed', () => {
    expect(sizeText(7)).toBe('7');
    expect(sizeText({ symbol: 'tokens', multiply: 1, divide: 1 })).toBe('tokens');
    expect(sizeText({ symbol: 'targets', multiply: 8, divide: 64, minus: 16, limit: 32 })).toBe(
      'ceil(8·min(max(targets − 16, 0), 32) / 64)',
    );
  });
});

describe('the page', () => {
  const page = reportPage(report, new Map([['small.mos', readFileSync('examples/line.mos', 'utf8')]]));

  test('needs nothing from outside', () => {
    expect(page).not.toMatch(/\b(src|href)=|@import|url\(|https?:/);
  });

  test('has every program, kernel and buffer', () => {
    for (const { name } of report.programs) expect(page).toContain(`<b>${name}</b>`);
    for (const { file } of report.kernels) expect(page).toContain(file);
    for (const { name } of report.buffers) expect(page).toContain(`<td>${name}</td>`);
  });

  test('text of a plan stays text', () => {
    const hostile = '</title><script>alert(1)</script><img onerror="x" \'>';
    const origins = plan.origins.map(o => ({ ...o, file: hostile, module: hostile }));
    const buffers = plan.buffers.map(b => ({ ...b, name: `${hostile}${b.name}` }));
    const wgsl = new Map([...files].map(([path]) => [path, hostile]));
    const dirty = reportPage(reportOn({ ...plan, name: hostile, origins, buffers }, wgsl));
    expect(dirty).not.toContain('<img');
    expect(dirty.match(/<script/g)).toHaveLength(1);
  });
});

describe('the command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mos-inspect-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

  test('shows a file, compiled on the fly, as text and as JSON', async () => {
    const text = await mos(['inspect', 'examples/tiny.mos']);
    expect(text.code).toBe(0);
    expect(text.stdout).toContain('examples/tiny.mos:6:1');
    expect(text.stdout).toContain('linear.forward');
    const json = await mos(['inspect', 'examples/tiny.mos', '--json']);
    const { version, summary, programs } = JSON.parse(json.stdout);
    expect([version, summary.trainable, programs[0].name]).toEqual([1, 296700, 'refresh']);
  });

  test('shows a plan folder, one program of it, and writes the page', async () => {
    const plan = join(folder, 'tiny.mosplan');
    expect((await mos(['compile', 'examples/tiny.mos', '--out', folder])).code).toBe(0);
    const decode = await mos(['inspect', plan, '--program', 'decode']);
    expect(decode.stdout).toStartWith('decode: ');
    expect((await mos(['inspect', plan, '--program', 'dekode'])).stderr).toContain('error[bad-argument]');
    const html = join(folder, 'plan.html');
    expect((await mos(['inspect', plan, '--html', html])).code).toBe(0);
    expect(readFileSync(html, 'utf8')).toStartWith('<!doctype html>');
  });

  test.each([
    ['no such file', join(folder, 'none'), 'file-not-found'],
    ['no JSON', planFile('no-json', '{'), 'plan-invalid'],
    ['another format', planFile('foreign', '{"format":"onnx"}'), 'plan-invalid'],
    ['another version', planFile('version', '{"format":"mosplan","version":99}'), 'plan-version'],
    ['a program with a mistake', textFile('wrong.mos', 'adapter q_proj < rank: 0 >'), 'out-of-range'],
  ])('%s is told by its code', async (_, target, code) => {
    for (const command of [
      ['inspect', target],
      ['diff', target, target],
    ]) {
      const { code: exit, stderr } = await mos(command);
      expect(exit).toBe(1);
      expect(stderr).toContain(`error[${code}]`);
    }
  });

  function planFile(name: string, text: string): string {
    const path = join(folder, name);
    Bun.spawnSync(['mkdir', '-p', path]);
    writeFileSync(join(path, 'plan.json'), text);
    return path;
  }

  function textFile(name: string, text: string): string {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  }
});
