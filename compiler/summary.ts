/** What a plan amounts to, computed from the plan itself: for `mos compile` and for whoever embeds plans. */
import type { Dispatch, Plan, PlanBuffer } from './plan/schema.ts';
import { evaluate } from './plan/size.ts';

export interface PlanSummary {
  adapters: { name: string; experts: string[]; modules: string[] }[];
  trainable: number;
  /** Bytes by role, all of them, and what each use alone needs. */
  memory: Partial<Record<PlanBuffer['role'], number>>;
  bytes: number;
  peak: Plan['requires']['peak'];
  kernels: number;
  /** One optimiser step at the largest batch: dispatches, floating-point operations, and those per token. */
  step: { tokens: number; dispatches: number; flops: number; flopsPerToken: number };
  /** One generated token of one sequence. */
  decode: { dispatches: number; flops: number };
}

export function summarise(plan: Plan): PlanSummary {
  const memory: PlanSummary['memory'] = {};
  for (const { role, bytes } of plan.buffers) memory[role] = (memory[role] ?? 0) + bytes;
  const tokens = (plan.training?.batch ?? 1) * (plan.training?.length ?? 1);
  const full = { tokens, targets: tokens, rows: plan.training?.batch ?? 1 };
  const micro = ['forward', 'backward'].flatMap(p => plan.programs[p] ?? []);
  const once = ['refresh', 'optimizer'].flatMap(p => plan.programs[p] ?? []);
  const accumulate = plan.training?.accumulate ?? 1;
  const total = (dispatches: Dispatch[], symbols: typeof full) =>
    dispatches.reduce((sum, { flops }) => sum + flops.each * (flops.symbol ? symbols[flops.symbol] : 1), 0);
  const live = (dispatches: Dispatch[], symbols: typeof full) =>
    dispatches.filter(d => d.variants[0].grid.every(size => evaluate(size, symbols) > 0)).length;
  const flops = accumulate * total(micro, full) + total(once, full);
  const one = { tokens: 1, targets: 1, rows: 1 };
  const decode = plan.programs.decode ?? [];
  return {
    adapters: adaptersOf(plan),
    trainable: plan.parameters
      .filter(p => plan.groups[p.group].kind !== 'frozen')
      .reduce((sum, p) => sum + p.rows * p.columns, 0),
    memory,
    bytes: plan.requires.bytes,
    peak: plan.requires.peak,
    kernels: plan.kernels.length,
    step: {
      tokens: tokens * accumulate,
      dispatches: accumulate * live(micro, full) + live(once, full),
      flops,
      flopsPerToken: flops / (tokens * accumulate),
    },
    decode: { dispatches: live(decode, one), flops: total(decode, one) },
  };
}

/** Sites by the block they come from. */
function adaptersOf(plan: Plan): PlanSummary['adapters'] {
  const blocks = new Map<string, PlanSummary['adapters'][number]>();
  for (const { adapter, module, experts, origin } of plan.sites) {
    const { line, column } = plan.origins[origin];
    const key = `${adapter} ${line}:${column}`;
    const block = blocks.get(key) ?? {
      name: adapter,
      experts: experts.map(e => (e.map ? `${e.space}(${e.map})` : e.space)),
      modules: [],
    };
    blocks.set(key, block);
    block.modules.push(module);
  }
  return [...blocks.values()];
}
