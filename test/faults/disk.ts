/** Faults 58 to 64: crashes, full disks, damaged checkpoints, two processes, changed inputs, signals, closed pipes. */
import { expect } from 'bun:test';
import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { lockFolder } from '../../src/host/lock.ts';
import { Checkpoints, type Snapshot } from '../../src/run/checkpoint.ts';

import { compileTiny, tinyProgram, writeTinyData, writeTinyModel } from '../tiny-model.ts';
import { fakeBase } from './fake.ts';
import { faultyFiles, type Mishap, PowerLoss } from './faulty-files.ts';
import { killedTraining } from './killed.ts';
import {
  adapterOf,
  codeOf,
  EIGHT,
  faultOf,
  generator,
  listing,
  newFolder,
  rowsOf,
  tiny,
  trial,
} from './rig.ts';
import { fault, NIGHTLY } from './table.ts';

const H = 'a'.repeat(64);

function snapshot(step: number, best: number | null = null): Snapshot {
  const tensor = (scale: number) => Float32Array.from({ length: 300 }, (_, i) => scale * (i + step));
  return {
    state: {
      format: 'mos-checkpoint',
      version: 0,
      step,
      updates: step,
      position: step,
      micro: 0,
      seed: 0,
      skippedInRow: 0,
      skipped: 0,
      lossScale: null,
      loss: 1 / step,
      validated: null,
      best: best === null ? null : { step: best, loss: 1 },
      waited: 0,
      finished: false,
      logBytes: 0,
      before: [],
      inexact: [],
      training: {},
      variants: {},
      identity: {
        plan: H,
        layout: H,
        data: H,
        base: H,
        device: 'd',
        hardware: false,
        runtime: 'r',
        webgpu: 'w',
      },
    },
    tensors: { params: tensor(1), moment1: tensor(0.5), moment2: tensor(0.25) },
  };
}

/** A folder with checkpoints of these steps. */
function folderWith(...steps: number[]): string {
  const out = newFolder();
  const store = new Checkpoints(out);
  for (const step of steps) store.save(snapshot(step));
  return out;
}

const leftovers = (out: string) => listing(join(out, 'checkpoints')).filter(name => /tmp|gone/.test(name));

/** Number of calls that a third save makes, tidying included. */
function callsOfSave(): string[] {
  const { files, calls } = faultyFiles();
  new Checkpoints(folderWith(1, 2), files).save(snapshot(3));
  return calls;
}

/** Saves a third checkpoint with a mishap at one call. */
function saveWith(at: number, mishap: Mishap): { out: string; error: unknown } {
  const out = folderWith(1, 2);
  try {
    new Checkpoints(out, faultyFiles(at, mishap).files).save(snapshot(3));
  } catch (error) {
    return { out, error };
  }
  return { out, error: undefined };
}

fault(
  58,
  'a process killed before any call of a save, or in any step: the old checkpoint or the new one loads',
  async () => {
    const calls = callsOfSave();
    expect(calls.filter(name => name === 'sync').length).toBeGreaterThanOrEqual(6);
    let [old, fresh] = [0, 0];
    for (let at = 0; at < calls.length; at++) {
      const { out, error } = saveWith(at, { off: true });
      expect(error === undefined || error instanceof PowerLoss).toBe(true);
      const store = new Checkpoints(out);
      const { snapshot: found, damaged } = store.load();
      // Nothing that was synced in part may ever look like a checkpoint.
      expect(damaged).toEqual([]);
      expect(found).toEqual(snapshot(found!.state.step));
      if (found!.state.step === 2) old++;
      else fresh++;
      // The next save sweeps up what is left.
      store.save(snapshot(4));
      expect(leftovers(out)).toEqual([]);
      expect(store.steps()).toContain(4);
    }
    expect([old > 10, fresh > 2, old + fresh]).toEqual([true, true, calls.length]);
    await killedTraining(50);
  },
);

fault(
  59,
  'no space, short writes, I/O errors and other devices at any call: the old one is kept, nothing is left over',
  async () => {
    const calls = callsOfSave();
    const failures = (['ENOSPC', 'EIO', 'EXDEV', 'EROFS'] as const).map(fails => ({ fails }));
    for (const mishap of [...failures, { full: true } as const]) {
      for (let at = 0; at < calls.length; at++) {
        const { out, error } = saveWith(at, mishap);
        const step = new Checkpoints(out).load().snapshot?.state.step;
        if (error) {
          expect([calls[at], await codeOf(() => Promise.reject(error))]).toEqual([
            calls[at],
            'unwritable-file',
          ]);
          expect([calls[at], leftovers(out)]).toEqual([calls[at], []]);
        }
        // An error after the rename (the sync of the folder) leaves the new one, which is as good.
        expect(error ? step === 2 || calls.lastIndexOf('rename', at) >= 0 : step === 3).toBe(true);
      }
    }
    const { out, error } = saveWith(0, { short: true });
    expect([error, new Checkpoints(out).load().snapshot]).toEqual([undefined, snapshot(3)]);

    // In a training: a disk that is full for a while costs a warning, not the run.
    const run = tiny();
    const whole = await trial(run);
    const { files, calls: all } = faultyFiles();
    await trial(run, { hooks: { files } });
    const firstSave = all.findIndex((name, i) => name === 'makeFolder' && i > 2);
    const full = await trial(run, {
      hooks: { files: faultyFiles(firstSave + 3, { fails: 'ENOSPC' }).files },
    });
    expect(full.told.warnings.join()).toContain('cannot be written');
    expect(adapterOf(full.out)).toEqual(adapterOf(whole.out));
    // The log and the adapter cannot be done without: a fault, and a whole adapter or none.
    for (let at = 0; at < all.length; at += NIGHTLY ? 1 : 9) {
      const where = newFolder();
      const ended = await codeOf(() =>
        trial(run, { out: where, hooks: { files: faultyFiles(at, { fails: 'ENOSPC' }).files } }),
      );
      expect(['ok', 'unwritable-file']).toContain(ended);
      expect(listing(where).filter(name => /\.tmp-/.test(name) && !name.startsWith('checkpoints'))).toEqual(
        [],
      );
      expect(await codeOf(() => trial(run, { out: where, resume: true }))).toBe('ok');
      expect(adapterOf(where)).toEqual(adapterOf(whole.out));
    }
  },
);

fault(
  60,
  'the newest checkpoint cut short or with any bit flipped: the one before, a warning, nothing deleted',
  async () => {
    const random = generator(60);
    const flips: [file: string, byte: number, bit: number][] = [];
    const newest = join(folderWith(1, 2), 'checkpoints/step-00000002');
    for (const name of readdirSync(newest)) {
      const { length } = readFileSync(join(newest, name));
      const every = name === 'manifest.json' || NIGHTLY;
      for (let i = 0; i < (every ? length : 40); i++)
        flips.push([name, every ? i : Math.floor(random() * length), i % 8]);
    }
    const out = folderWith(1, 2);
    const store = new Checkpoints(out);
    const path = (name: string) => join(store.pathOf(2), name);
    for (const [name, byte, bit] of flips) {
      const good = readFileSync(path(name));
      const bad = Buffer.from(good);
      bad[byte] ^= 1 << bit;
      writeFileSync(path(name), bad);
      const { snapshot: found, damaged } = store.load();
      expect([name, byte, bit, found?.state.step, damaged.length]).toEqual([name, byte, bit, 1, 1]);
      writeFileSync(path(name), good);
    }
    expect(store.load().snapshot).toEqual(snapshot(2));
    for (const name of readdirSync(store.pathOf(2))) {
      const good = readFileSync(path(name));
      // The manifest ends in a line feed that means nothing.
      for (const length of [0, 1, good.length - 2]) {
        truncateSync(path(name), length);
        expect(store.load().snapshot?.state.step).toBe(1);
        writeFileSync(path(name), good);
      }
      appendFileSync(path(name), ' ');
      expect(store.load().damaged.length).toBe(name === 'manifest.json' ? 0 : 1);
      writeFileSync(path(name), good);
    }

    // The whole way: said, passed over, kept, and the result is the same.
    const run = tiny();
    const whole = await trial(run);
    const half = await trial(run, { steps: 6 });
    const damagedFile = join(half.out, 'checkpoints/step-00000006/tensors.safetensors');
    truncateSync(damagedFile, 100);
    const resumed = await trial(run, { out: half.out, resume: true });
    expect(resumed.told.warnings.join()).toMatch(
      /a checkpoint is damaged and was passed over: .*step-00000006.*100 bytes/,
    );
    expect(resumed.result.resumedFrom).toBe(3);
    expect([adapterOf(half.out), rowsOf(half.out)]).toEqual([adapterOf(whole.out), rowsOf(whole.out)]);
    expect(listing(join(half.out, 'checkpoints')).some(name => /^damaged-6-.*tensors/.test(name))).toBe(true);
    // None left: a fault, nothing deleted.
    for (const name of listing(join(half.out, 'checkpoints'))) {
      if (/^step.*manifest/.test(name)) writeFileSync(join(half.out, 'checkpoints', name), '{}');
    }
    const before = listing(half.out);
    expect(await codeOf(() => trial(run, { out: half.out, resume: true }))).toBe('checkpoint-damaged');
    expect(listing(half.out)).toEqual(before);
  },
);

fault(61, 'a second process in one folder is told so; the lock of a dead process is taken over', async () => {
  const run = tiny();
  const out = newFolder();
  const lock = lockFolder(out);
  expect(await faultOf(() => trial(run, { out }))).toContain(
    `folder-in-use: process ${process.pid} is training into`,
  );
  expect(listing(out)).toEqual(['run.lock']);
  const text = readFileSync(join(out, 'run.lock'), 'utf8');
  lock.release();
  expect(existsSync(join(out, 'run.lock'))).toBe(false);
  const holder = JSON.parse(text) as Record<string, unknown>;
  const dead = Bun.spawnSync(['true']).pid;
  // Gone, its number used again, half a lock, no lock at all.
  for (const stale of [
    { ...holder, pid: dead },
    { ...holder, started: '1' },
    '{"pid":',
    '',
    { host: hostname() },
  ]) {
    writeFileSync(join(out, 'run.lock'), typeof stale === 'string' ? stale : JSON.stringify(stale));
    expect(await codeOf(() => trial(run, { out }))).toBe('ok');
    expect(existsSync(join(out, 'run.lock'))).toBe(false);
  }
  writeFileSync(join(out, 'run.lock'), JSON.stringify({ ...holder, host: 'elsewhere' }));
  expect(await faultOf(() => trial(run, { out }))).toContain('on another machine');
});

fault(
  62,
  'resumed with another program, seed, data or base: refused; another GPU: marked as not exact',
  async () => {
    const run = tiny();
    const half = await trial(run, { steps: 4 });
    const again = async (change: { options?: object; data?: number; model?: number }, force = false) => {
      const { folder, program } = tiny();
      if (change.data) writeTinyData(join(folder, 'data.jsonl'), 24, change.data);
      if (change.model) writeTinyModel(join(folder, 'model'), change.model);
      const changed = change.options
        ? compileTiny(folder, tinyProgram({ ...EIGHT, ...change.options }))
        : undefined;
      const out = newFolder();
      cpSync(half.out, out, { recursive: true });
      return {
        out,
        of: () =>
          trial(changed ?? { folder, program, planFolder: join(folder, 'program.mosplan'), plan: run.plan }, {
            out,
            resume: true,
            force,
          }),
      };
    };
    expect(
      await faultOf(
        (await again({ options: { train: 'steps: 9; log: 3; validate: 2; checkpoint: 3; accumulate: 2' } }))
          .of,
      ),
    ).toBe('resume-mismatch: the program has changed since the checkpoint of step 4');
    expect(await codeOf((await again({ options: { train: `${EIGHT.train}; seed: 5` } })).of)).toBe(
      'resume-mismatch',
    );
    expect(await codeOf((await again({ options: { train: `${EIGHT.train}; clip: 3` } })).of)).toBe(
      'resume-mismatch',
    );
    expect(
      await faultOf((await again({ options: { adapter: 'rank: 8; experts: euclid' } }, true)).of),
    ).toContain('the adapters of the program have changed');
    expect(await faultOf((await again({ data: 2 })).of)).toContain('the training data has changed');
    expect(await faultOf((await again({ model: 2 })).of)).toContain('the base model has changed');
    // What does not decide the numbers may change: comments, cadence of checkpoints, places of files.
    expect(
      await codeOf(
        (await again({ options: { train: EIGHT.train!.replace('checkpoint: 3', 'checkpoint: 5') } })).of,
      ),
    ).toBe('ok');

    const forced = await again({ data: 2 }, true);
    expect((await forced.of()).result.exact).toBe(false);
    const config = JSON.parse(readFileSync(join(forced.out, 'adapter/adapter_config.json'), 'utf8'));
    expect(config.trained).toMatchObject({ exact: false, inexact: ['the training data changed at step 4'] });
    expect(readFileSync(join(forced.out, 'log.jsonl'), 'utf8')).toContain('"exact":false');

    const other = newFolder();
    cpSync(half.out, other, { recursive: true });
    const moved = await trial(run, {
      out: other,
      resume: true,
      hooks: { openBase: fakeBase({ device: 'another' }) },
    });
    expect(moved.result.exact).toBe(false);
    expect(moved.told.warnings).toEqual(['not exact from here on: GPU: test arithmetic, now test another']);
  },
);

fault(
  63,
  'asked to stop: the step is finished and saved; links in the way of what is written are refused',
  async () => {
    const run = tiny();
    const whole = await trial(run);
    for (let at = 0; at <= 8; at++) {
      const stop = new AbortController();
      const progress = ({ step }: { step: number }) => step === at && stop.abort();
      if (at === 0) stop.abort();
      const { out, result } = await trial(run, { listen: { stop: stop.signal, progress } });
      expect([result.steps, result.stopped]).toEqual([at, at < 8]);
      if (at > 0) expect(new Checkpoints(out).load().snapshot?.state.step).toBe(at);
      await trial(run, { out, resume: true });
      expect([at, adapterOf(out)]).toEqual([at, adapterOf(whole.out)]);
      if (at > 0) expect(rowsOf(out)).toEqual(rowsOf(whole.out));
    }
    for (const name of ['log.jsonl', 'adapter/adapter.safetensors']) {
      const out = newFolder();
      const target = join(newFolder(), 'precious');
      writeFileSync(target, 'mine');
      new Checkpoints(join(out, 'adapter')).save(snapshot(1));
      symlinkSync(target, join(out, name));
      expect(await codeOf(() => trial(run, { out }))).toBe('unsafe-path');
      expect(readFileSync(target, 'utf8')).toBe('mine');
    }
  },
);
