/** Training as it should go: early stopping, the best checkpoint, runs that start anew, the program on the command line. */
import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Checkpoints } from '../../src/run/checkpoint.ts';
import { mos } from '../cli/run.ts';
import { gpuTest } from '../gpu/harness.ts';
import { tinyProgram } from '../tiny-model.ts';
import { fakeBase } from './fake.ts';
import { adapterOf, EIGHT, listing, rowsOf, tiny, trial } from './rig.ts';

const steps = (out: string) => new Checkpoints(out).steps();

describe('early stopping', () => {
  const run = tiny({ ...EIGHT, train: 'steps: 20; log: 3; validate: 2; checkpoint: 5; patience: 3' });
  // Falls until step 6, rises afterwards.
  const validation = (step: number) => 1 + Math.abs(step - 6);
  const hooks = () => ({ openBase: fakeBase({ validation }) });

  test('ends after so many validations without a better one; the adapter is that of the best', async () => {
    const { out, result } = await trial(run, { hooks: hooks() });
    expect(result).toMatchObject({ steps: 12, best: 6, stopped: false, exact: true });
    expect(steps(out)).toEqual([12, 10, 6]);
    const cut = await trial(run, { hooks: hooks(), steps: 6 });
    expect(adapterOf(out)).toEqual(adapterOf(cut.out));
    const config = JSON.parse(readFileSync(join(out, 'adapter/adapter_config.json'), 'utf8'));
    expect(config.trained).toMatchObject({ step: 6, exact: true });
  });

  test('resumed in the middle of waiting, it ends where it would have ended', async () => {
    const whole = await trial(run, { hooks: hooks() });
    const { out } = await trial(run, { hooks: hooks(), steps: 9 });
    const { result } = await trial(run, { hooks: hooks(), out, resume: true });
    expect(result).toMatchObject({ steps: 12, best: 6, resumedFrom: 9 });
    expect([adapterOf(out), rowsOf(out)]).toEqual([adapterOf(whole.out), rowsOf(whole.out)]);
    // And once more: it is at its end already.
    const again = await trial(run, { hooks: hooks(), out, resume: true });
    expect(again.result).toMatchObject({ steps: 12, best: 6, resumedFrom: 12 });
    expect(adapterOf(out)).toEqual(adapterOf(whole.out));
  });

  test('a best checkpoint that is damaged costs a warning', async () => {
    const { out } = await trial(run, { hooks: hooks(), steps: 9 });
    writeFileSync(join(new Checkpoints(out).pathOf(6), 'tensors.safetensors'), 'no');
    const { result, told } = await trial(run, { hooks: hooks(), out, resume: true });
    expect(result.best).toBeUndefined();
    expect(told.warnings.join()).toContain('the best checkpoint, of step 6, cannot be read');
  });

  test('without validation it is said that it has no effect', async () => {
    const { told, result } = await trial(tiny({ train: 'steps: 3; patience: 2' }));
    expect(told.warnings.join()).toContain('`patience` has no effect');
    expect(result.steps).toBe(3);
  });
});

describe('a run that starts anew', () => {
  const run = tiny();

  test('the checkpoints of a finished one make room, those of an unfinished one are kept and named', async () => {
    const stop = new AbortController();
    const listen = {
      stop: stop.signal,
      progress: ({ step }: { step: number }) => step === 5 && stop.abort(),
    };
    const { out } = await trial(run, { listen });
    const fresh = await trial(run, { out });
    const [kept] = listing(out).filter(name => /^checkpoints\.unfinished-\w+$/.test(name));
    expect(fresh.told.warnings.join()).toContain(kept);
    expect(listing(join(out, kept))).toContain('log.jsonl');
    expect(listing(join(out, kept))).toContain('step-00000005');
    expect(fresh.result.resumedFrom).toBeUndefined();
    await trial(run, { out });
    await trial(run, { out });
    expect(listing(out).filter(name => /^checkpoints[^/]*$/.test(name))).toEqual([
      'checkpoints',
      'checkpoints.before',
      kept,
    ]);
  });

  test('`checkpoint: 0` saves at the end and when stopped only', async () => {
    const { out } = await trial(tiny({ ...EIGHT, train: 'steps: 8; checkpoint: 0' }));
    expect(steps(out)).toEqual([8]);
  });

  test('two checkpoints and the best stay', async () => {
    const { out } = await trial(tiny({ ...EIGHT, train: 'steps: 12; checkpoint: 2; validate: 3' }), {
      hooks: { openBase: fakeBase({ validation: step => 1 + Math.abs(step - 3) }) },
    });
    expect(steps(out)).toEqual([12, 10, 3]);
  });

  test('resumed where there is nothing: from the start, and it is said', async () => {
    const { told, result } = await trial(run, { resume: true });
    expect(told.warnings.join()).toContain('no checkpoint to go on from');
    expect(result.steps).toBe(8);
  });
});

gpuTest(
  'mos train: its worker killed, then asked to stop, then resumed, gives the bytes of a run left alone',
  async () => {
    const { folder, program } = tiny();
    writeFileSync(
      program,
      tinyProgram({ ...EIGHT, train: 'steps: 40; log: 3; validate: 10; checkpoint: 5' }),
    );
    const [whole, broken] = [join(folder, 'whole'), join(folder, 'broken')];
    expect((await mos(['train', program, '--out', whole])).code).toBe(0);

    let killed = false;
    let stopped = false;
    const interrupted = await mos(['train', program, '--out', broken], {
      onStderr(soFar, supervisor) {
        const steps = [...soFar.matchAll(/train +(\d+)\/40/g)].map(match => Number(match[1]));
        const last = steps.at(-1) ?? 0;
        if (!killed && last >= 12) {
          killed = true;
          const { pid } = JSON.parse(readFileSync(join(broken, 'run.lock'), 'utf8')) as { pid: number };
          process.kill(pid, 'SIGKILL');
        } else if (killed && !stopped && soFar.includes('in a new process') && last >= 24) {
          stopped = true;
          supervisor.kill('SIGTERM');
        }
      },
    });
    expect(interrupted.stderr).toMatch(
      /the worker ended \(signal SIGKILL\).*going on from step \d+ in a new process/,
    );
    expect([interrupted.code, stopped]).toEqual([143, true]);
    expect(interrupted.stdout).toContain('`--resume` goes on from here');
    expect(existsSync(join(broken, 'run.lock'))).toBe(false);

    const resumed = await mos(['train', program, '--out', broken, '--resume', '--json']);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ steps: 40, exact: true });
    expect([adapterOf(broken), rowsOf(broken)]).toEqual([adapterOf(whole), rowsOf(whole)]);
    expect(readFileSync(join(broken, 'adapter/adapter_config.json'))).toEqual(
      readFileSync(join(whole, 'adapter/adapter_config.json')),
    );

    const changed = tinyProgram({ ...EIGHT, train: 'steps: 41; log: 3; validate: 10; checkpoint: 5' });
    writeFileSync(program, changed);
    const refused = await mos(['train', program, '--out', broken, '--resume']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      'error[resume-mismatch]: the program has changed since the checkpoint of step 40',
    );
    expect(refused.stderr).toContain('note: steps: 40, now 41');
  },
  400_000,
);
