/**
 * A base without a GPU: the tiny model's files are real, the executor is a few lines of arithmetic that depend on
 * everything the real one depends on (parameters, moments, bias corrections, rates, batches, step). A training of eight
 * steps takes milliseconds, so it can be killed, starved and robbed of its device many times over.
 */
import type { Dispatch, Plan } from '../../compiler/plan/schema.ts';
import { openCheckpoint } from '../../src/model/checkpoint.ts';
import { openTokenizer } from '../../src/model/open-tokenizer.ts';
import { type Fault, fault } from '../../src/report/fault.ts';
import { type Base, inPlan, type openBase } from '../../src/run/base.ts';
import { readPlan } from '../../src/run/plan-folder.ts';
import type { Executor, Frame } from '../../src/runtime/executor.ts';

export interface Behaviour {
  /** Called before a program runs; may throw, wait for ever, or call `lose`. */
  onRun?: (programs: string[], frame: Frame, device: FakeDevice) => void | Promise<void>;
  /** Called when a device is opened. */
  onOpen?: (device: FakeDevice) => void;
  /** Multiplies the loss of a validation after so many steps. */
  validation?: (step: number) => number;
  /** Another adapter, another driver. */
  device?: string;
  /** Has f16, which changes nothing of the arithmetic. */
  half?: boolean;
}

export class FakeDevice {
  private lost: Fault | undefined;

  lose(): void {
    this.lost ??= fault('gpu-lost', 'the GPU was lost: taken away by a test');
  }

  failure(): Fault | undefined {
    return this.lost;
  }

  check(): void {
    if (this.lost) throw this.lost;
  }
}

class FakeExecutor {
  readonly plan: Plan;
  readonly hardware = false;
  readonly pipelines = {
    runnable: ({ variants }: Dispatch) => variants.filter(({ features }) => this.behaviour.half || !features),
  };
  private readonly device: FakeDevice;
  private readonly behaviour: Behaviour;
  private readonly buffers = new Map<string, Float32Array>();
  private step = 0;

  constructor(plan: Plan, device: FakeDevice, behaviour: Behaviour) {
    this.plan = plan;
    this.device = device;
    this.behaviour = behaviour;
    for (const { name, bytes, role } of plan.buffers) {
      if (!['scratch', 'weight'].includes(role)) this.buffers.set(name, new Float32Array(bytes / 4));
    }
  }

  private buffer(name: string): Float32Array {
    return this.buffers.get(name)!;
  }

  write(name: string, data: Float32Array | Uint32Array): void {
    this.buffer(name).set(new Float32Array(data.buffer, data.byteOffset, data.length));
  }

  clear(...names: string[]): void {
    for (const name of names) this.buffer(name).fill(0);
  }

  async read(name: string, count: number): Promise<Float32Array> {
    this.device.check();
    return this.buffer(name).slice(0, count);
  }

  async readRanges(name: string, ranges: { offset: number; count: number }[]): Promise<Float32Array> {
    this.device.check();
    const flat = this.buffer(name);
    return Float32Array.from(
      ranges.flatMap(({ offset, count }) => [...flat.subarray(offset, offset + count)]),
    );
  }

  async run(programs: string[], symbols: { tokens: number }, frame: Frame): Promise<void> {
    await this.behaviour.onRun?.(programs, frame, this.device);
    const ids = new Uint32Array(this.buffer('ids').buffer).subarray(0, symbols.tokens);
    if (programs.includes('backward')) this.gradient(ids, frame);
    if (programs.includes('optimizer')) this.optimise();
    if (programs.includes('evaluate')) {
      const factor = this.behaviour.validation?.(this.step) ?? 1;
      this.buffer('metrics')[0] += factor * symbols.tokens * (1 + Math.abs(this.buffer('params')[0]));
    }
  }

  private gradient(ids: Uint32Array, { seed, step, micro }: Frame): void {
    const [params, grads] = [this.buffer('params'), this.buffer('grads')];
    const key = ids.reduce(
      (h, id) => Math.imul(h ^ id, 0x01000193) >>> 0,
      (seed + 31 * step + 7 * micro) >>> 0,
    );
    for (let i = 0; i < grads.length; i++) {
      grads[i] += 0.1 * params[i] + (((key + Math.imul(i, 2654435761)) >>> 0) / 2 ** 32 - 0.5);
    }
    this.buffer('metrics')[0] += (key % 1000) / 500;
    this.step = step + 1;
  }

  private optimise(): void {
    const [params, grads, m, v, groups] = ['params', 'grads', 'moment1', 'moment2', 'groups'].map(n =>
      this.buffer(n),
    );
    const unusable = grads.reduce((count, g) => count + (Number.isFinite(g) ? 0 : 1), 0);
    const norm = Math.sqrt(grads.reduce((sum, g) => sum + g * g, 0));
    this.buffer('control').set([unusable > 0 ? 0 : norm, 1, unusable, 0]);
    if (unusable > 0) return;
    const [rate, , beta1, beta2, eps, first, second] = groups;
    for (let i = 0; i < params.length; i++) {
      m[i] = beta1 * m[i] + (1 - beta1) * grads[i];
      v[i] = beta2 * v[i] + (1 - beta2) * grads[i] ** 2;
      params[i] -= (rate * m[i] * first) / (Math.sqrt(v[i] * second) + eps);
    }
  }

  unfinished(): string[] {
    return ['the GPU was at forward: q_proj (program.mos:2:1)'];
  }

  /** Puts a value into a buffer, as a broken kernel would. */
  poke(name: string, index: number, value: number): void {
    this.buffer(name)[index] = value;
  }
}

/** Stands in for `openBase`; `last` is the executor of the newest base. */
export function fakeBase(
  behaviour: Behaviour = {},
): typeof openBase & { last?: FakeExecutor; opened: number; closed: number } {
  const open = async (folder: string): Promise<Base> => {
    const { plan } = readPlan(folder);
    const checkpoint = openCheckpoint(inPlan(folder, plan.model!.path));
    const tokenizer = openTokenizer(checkpoint.folder, plan.model!.vocabulary);
    // As loading the weights does; their checksum is part of what a run is made of.
    for (const name of checkpoint.names()) checkpoint.readF32(name);
    const device = new FakeDevice();
    const executor = new FakeExecutor(plan, device, behaviour);
    open.last = executor;
    open.opened++;
    behaviour.onOpen?.(device);
    const info = {
      vendor: 'test',
      architecture: '',
      device: behaviour.device ?? 'arithmetic',
      description: '',
    };
    const opened = {
      device: {},
      adapter: {},
      info,
      software: true,
      close() {},
      failure: () => device.failure(),
      check: () => device.check(),
      settled: async () => {},
    };
    return {
      plan,
      folder,
      checkpoint,
      tokenizer,
      close() {
        open.closed++;
        checkpoint.close();
      },
      opened: opened as unknown as Base['opened'],
      executor: executor as unknown as Executor,
      choices: {},
    };
  };
  open.last = undefined as FakeExecutor | undefined;
  open.opened = 0;
  open.closed = 0;
  return open as ReturnType<typeof fakeBase>;
}
