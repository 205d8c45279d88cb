/** The package where people get it: packed, installed, imported and run by Node, Bun and Deno, type-checked, bundled. */
import { describe, expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { DENO, install, nodeIn, pack, ROOT, run, temporaryFolder } from './project.ts';

const tarball = pack(temporaryFolder('pack'));
const project = install(tarball);
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const bin = (name: string) => join(project, 'node_modules/.bin', name);
const NODE = nodeIn(project);

/** Largest bundle of the runtime entry, bytes after minification. */
const RUNTIME_BYTES = 40 * 1024;

const PROGRAM = `adapter q_proj, down_proj < rank: 2; experts: hyperbolic, euclid; router: top1 >
data "data.jsonl" < length: 16 >
train < steps: 2; batch: 2 >`;

test('publint finds nothing', async () => {
  const { messages } = await publint({
    pack: { tarball: (await Bun.file(tarball).arrayBuffer()) as ArrayBuffer },
    strict: true,
  });
  expect(messages.map(m => formatMessage(m, manifest))).toEqual([]);
});

describe('installed', () => {
  const script = `
    import { compile, train } from 'mos';
    const plan = await compile(${JSON.stringify(PROGRAM)}, { model: 'model' });
    const losses = [];
    const { steps, stopped } = await train(plan, { out: process.argv[2], onStep: e => losses.push(e.loss) });
    console.log(JSON.stringify({ steps, stopped, losses }));`;
  writeFileSync(join(project, 'script.js'), script);
  writeFileSync(join(project, 'program.mos'), `model "model" < >\n${PROGRAM}\n`);
  writeFileSync(join(project, 'wrong.mos'), 'adapter q_proj < rank: 0 >\n');
  const losses: Record<string, number[]> = {};

  test.each([
    ['node', [NODE, 'script.js']],
    ['bun', [process.execPath, 'script.js']],
  ])('under %s it compiles and trains', (name, command) => {
    const { code, out, error } = run(project, [...command, `run-${name}`]);
    expect(error).toBe('');
    expect(code).toBe(0);
    const result = JSON.parse(out);
    expect([result.steps, result.stopped]).toEqual([2, false]);
    losses[name] = result.losses;
  });

  test('node and bun agree', () => {
    expect(losses.node).toHaveLength(2);
    for (const [i, loss] of losses.node.entries()) expect(Math.abs(loss - losses.bun[i])).toBeLessThan(1e-6);
  });

  test('deno imports every entry, checks and compiles', () => {
    writeFileSync(
      join(project, 'deno.js'),
      `import { check, compile, mos } from 'mos';
       import { adapter, hyperbolic, program } from 'mos/builder';
       await import('mos/runtime');
       await import('mos/web');
       const wrong = check('x.mos', 'adapter q_proj < rank: 0 >', { needs: { model: false } });
       const { plan } = await compile(program(adapter('q_proj', { experts: [hyperbolic] })), { model: 'model' });
       console.log(wrong.diagnostics[0].code, plan.sites.length, mos\`adapter q_proj < >\`.adapters.length);`,
    );
    const { out, error, code } = run(project, [...DENO, 'deno.js']);
    expect([code, out.trim(), code === 0 ? '' : error]).toEqual([0, 'out-of-range 2 1', '']);
  });

  test.each([
    ['node', [NODE, bin('mos')]],
    ['bun', [process.execPath, bin('mos')]],
  ])('the command line under %s', (_, mos) => {
    expect(run(project, [...mos, '--version']).out.trim()).toBe(manifest.version);
    expect(run(project, [...mos, 'check', 'program.mos'])).toMatchObject({ code: 0 });
    const wrong = run(project, [...mos, 'check', 'wrong.mos']);
    expect([wrong.code, wrong.error.split('\n')[0]]).toEqual([
      1,
      expect.stringContaining('error[out-of-range]'),
    ]);
    // The worker is a file of its own.
    expect(run(project, [...mos, 'devices', '--json'])).toMatchObject({ code: 0 });
  });

  test.each(['bundler', 'nodenext'])('its types are complete, resolved as %s', resolution => {
    writeFileSync(
      join(project, 'consumer.ts'),
      `import { compile, type CompiledPlan, load, MosError, type RunEvent, type StepEvent, train } from 'mos';
       import { adapter, hyperbolic, top2 } from 'mos/builder';
       const plan: CompiledPlan = await compile('adapter q_proj < >', { model: 'm', signal: new AbortController().signal });
       const losses: number[] = [];
       await train(plan, { onStep: (e: StepEvent) => losses.push(e.loss), onEvent: (e: RunEvent) => console.log(e.type) });
       const model = await load(plan, 'software');
       const one: string = await model.generate('x');
       const many: string[] = await model.generate(['x', [{ role: 'user', content: 'y' }]], { adapters: [[], ['a']] });
       const conversation: string = await model.generate([{ role: 'user', content: 'y' }]);
       adapter('q_proj', { experts: [hyperbolic({ c: 0.5 })], router: top2 });
       // @ts-expect-error: not a device
       await load(plan, 'quantum');
       // @ts-expect-error: no such option
       await train(plan, { step: 3 });
       // @ts-expect-error: a number is no prompt
       await model.generate(3);
       export { conversation, losses, many, MosError, one };`,
    );
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: 'es2023',
      lib: ['es2023', 'esnext.disposable', 'dom'],
      types: [],
      module: resolution === 'bundler' ? 'preserve' : 'nodenext',
      moduleResolution: resolution,
      skipLibCheck: true,
    };
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['consumer.ts'] }),
    );
    const { out } = run(ROOT, ['bunx', 'tsc', '-p', project]);
    expect(out).toBe('');
  });

  test('the runtime entry alone is small, and takes nothing else along', async () => {
    writeFileSync(join(project, 'runtime.js'), `export * from 'mos/runtime';`);
    const { outputs, success } = await Bun.build({
      entrypoints: [join(project, 'runtime.js')],
      target: 'browser',
      minify: true,
    });
    expect(success).toBe(true);
    const text = await outputs[0].text();
    expect(text.length).toBeLessThanOrEqual(RUNTIME_BYTES);
    expect(text).not.toMatch(/(^|;)import\b|\brequire\(/);
    for (const foreign of ['chevrotain', 'ZodError', 'node:fs']) expect(text).not.toContain(foreign);
  });
});
