/** What a row of the benchmark is given, and what it leaves. */
import type { Plan } from '../compiler/plan/schema.ts';
import { type OpenedDevice, openDevice } from '../src/gpu/device.ts';
import { trust, wantedBy } from '../src/run/trust.ts';
import { Executor, type ExecutorOptions } from '../src/runtime/executor.ts';
import { initialParameters } from '../src/runtime/parameters.ts';
import { lastVariant } from '../src/runtime/pipelines.ts';
import { Session } from '../src/runtime/session.ts';
import type { TensorSource } from '../src/runtime/upload-weights.ts';
import { openPeer, type Peer, type PeerName } from './peers.ts';

export interface Table {
  title: string;
  head: string[];
  rows: (string | number)[][];
}

/** Something that was promised: what was measured, and whether it is kept; undefined where that cannot be said here. */
export interface Target {
  name: string;
  wanted: string;
  measured: string;
  met: boolean | undefined;
}

export interface Outcome {
  tables: Table[];
  targets?: Target[];
  /** What cannot be measured here, and why. */
  skipped?: string[];
}

export interface Row {
  number: number;
  title: string;
  run(bench: Bench): Promise<Outcome>;
}

/** Opens things for a row, and closes them after it. */
export class Bench {
  readonly quick: boolean;
  readonly software: boolean;
  readonly note: (text: string) => void;
  private readonly open: { close(): void }[] = [];
  private readonly peers = new Map<PeerName, Promise<Peer | string>>();

  constructor(software: boolean, quick: boolean, note: (text: string) => void) {
    this.software = software;
    this.quick = quick;
    this.note = note;
  }

  /** Number of samples: `full`, or enough to see that it works. */
  samples(full: number): number {
    return this.quick ? Math.min(3, full) : full;
  }

  async device(plan: Plan, wanted: string[] = []): Promise<OpenedDevice> {
    trust(plan);
    const opened = await openDevice({ limits: plan.requires.limits, wanted: wantedBy(plan, wanted) });
    this.open.push(opened);
    return opened;
  }

  async executor(
    { plan, files }: { plan: Plan; files: ReadonlyMap<string, string> },
    tensors: TensorSource,
    options: ExecutorOptions & { opened?: OpenedDevice } = {},
  ): Promise<Executor> {
    const { opened, ...rest } = options;
    const device = opened ?? (await this.device(plan));
    const choose = lastVariant(!device.software, true);
    const how: ExecutorOptions = { use: 'training', choose, ...rest };
    const executor = await Executor.open(plan, files, device, tensors, how);
    this.open.push(executor);
    return executor;
  }

  async session(...args: Parameters<Bench['executor']>): Promise<Session> {
    const session = new Session(await this.executor(...args));
    session.start(initialParameters(args[0].plan, 0));
    return session;
  }

  /** A peer that runs beside ours; a text says why there is none. */
  async peer(name: PeerName): Promise<Peer | string> {
    if (!this.peers.has(name)) this.peers.set(name, openPeer(name, this.note));
    return this.peers.get(name)!;
  }

  closeRow(): void {
    for (const one of this.open.splice(0).reverse()) one.close();
  }

  async closePeers(): Promise<void> {
    for (const peer of await Promise.all(this.peers.values())) if (typeof peer !== 'string') peer.close();
  }
}
