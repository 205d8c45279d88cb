/**
 * Lowering: a model's configuration and the adapters placed on it become graphs of operations, one per program of
 * the plan. Weights, parameters and persistent buffers are declared on the way; every graph refers to the same ones.
 *
 * Batches are packed: the rows of all activations are the tokens of all sequences, one after another, without
 * padding. Which keys a token sees is data (`keys`, `queries`), so training, packing and cached generation share the
 * same operations.
 */
import type { Span } from '../dsl/program.ts';
import { align, Graph, type Place, type Rows, type Source, type Value, type Weight } from './graph.ts';
import { type AdapterPlaces, adapt } from './operations/adapter.ts';
import { attention } from './operations/attention.ts';
import { embedding, gatherRows, rmsNorm, splitHeads, swiglu, type TokenTable } from './operations/base.ts';
import { crossEntropy, type Loss, logitColumns, predict } from './operations/head.ts';
import { linear } from './operations/linear.ts';
import { floats, type ParameterSpace, type SiteRegions } from './parameters.ts';
import type { LayerShape, LinearShape, ModelShape } from './plan/model.ts';
import type { Content } from './plan/schema.ts';
import { rowWords, type Storages } from './plan/storage.ts';
import { inputGroups } from './select.ts';
import { layoutStack, type Placement, type Stack } from './site.ts';
import { Spaces } from './spaces/resolve.ts';
import type { Store } from './store.ts';

/** A stack, its place in the trained state, and how many adapters come before it in the telemetry. */
export interface PlacedStack {
  stack: Stack;
  regions: SiteRegions;
  firstAdapter: number;
  source: Source;
}

export interface Sizes {
  /** Largest batches: tokens and sequences in training, sequences and cached positions in generation. */
  tokens: number;
  rows: number;
  generateRows: number;
  context: number;
  /** Tokens of prompts at a time. */
  prefillTokens: number;
  /** Rows of logits that can be read back at a time. */
  logitRows: number;
  /** Largest matrix of logits in training. */
  logitsBytes?: number;
  /** Largest piece of an embedding or a head. */
  bindingBytes?: number;
}

/** Whether there is anything to tell of gates and guards: not of single flat experts, which is what LoRA is. */
export const routes = ({ stack }: PlacedStack): boolean =>
  stack.curved || stack.adapters.some(a => a.experts.length > 1);

export type Mode = 'train' | 'evaluate' | 'logits' | 'prefill' | 'decode';

const WORD = 4;
/** What the software GPU binds at once; NVIDIA's drivers allow 2 GiB less 4 bytes. */
const BINDING_BYTES = 2 ** 30;
const PLAIN: Storages = { linear: 'f32', table: 'f32' };

export class Lowering {
  readonly stacks: PlacedStack[] = [];
  private adapterCount = 0;
  /** Stacks by the paths of their modules. */
  private readonly byModules = new Map<string, PlacedStack>();
  private readonly origins: (path: string) => Source;
  readonly store: Store;
  readonly parameters: ParameterSpace;
  readonly sizes: Sizes;
  private readonly slots: number;
  private readonly spaces: Spaces;
  private readonly storages: Storages;

  constructor(
    store: Store,
    parameters: ParameterSpace,
    sizes: Sizes,
    slots: number,
    fallback: Span,
    storages: Storages = PLAIN,
    spaces = new Spaces(),
  ) {
    this.store = store;
    this.spaces = spaces;
    this.parameters = parameters;
    this.sizes = sizes;
    this.slots = slots;
    this.storages = storages;
    this.origins = module => ({ file: fallback.file, line: fallback.line, column: fallback.column, module });
    store.declare('frame', 'frame', 48);
    store.declare('metrics', 'output', 64);
    for (const name of ['ids', 'position', 'row', 'slot', 'target_index', 'target_of', 'labels']) {
      store.declare(name, 'input', this.maxTokens * WORD);
    }
    for (const name of ['keys', 'queries']) store.declare(name, 'input', 2 * this.maxTokens * WORD);
  }

  /** Largest number of token rows any program sees. */
  get maxTokens(): number {
    const { tokens, prefillTokens } = this.sizes;
    return Math.max(tokens, prefillTokens);
  }

  get maxRows(): number {
    return Math.max(this.sizes.rows, this.sizes.generateRows, 1);
  }

  /** Lays out the stack of linears sharing an input and gives it its parameters; the first call per stack counts. */
  placeStack(linears: LinearShape[], placements: Map<string, Placement[]>): PlacedStack {
    const key = linears.map(l => l.path).join(' ');
    const known = this.byModules.get(key);
    if (known) return known;
    const placed = linears.map(l => placements.get(l.path) ?? []);
    const stack = layoutStack(this.stacks.length + 1, linears, placed, this.spaces);
    const regions = this.parameters.place(stack);
    const origin = stack.adapters[0]?.block.origin;
    const source = {
      ...this.origins(linears[0].path),
      ...(origin ? { file: origin.file, line: origin.line, column: origin.column } : {}),
    };
    const result = { stack, regions, firstAdapter: this.adapterCount, source };
    this.adapterCount += stack.adapters.length;
    this.stacks.push(result);
    this.byModules.set(key, result);
    return result;
  }

  /** Places every stack of a model; must run before the first graph, because buffer sizes depend on all of them. */
  placeModel(shape: ModelShape, placements: Map<string, Placement[]>): void {
    for (const layer of shape.layers) {
      for (const group of inputGroups(layer))
        if (group.some(l => placements.has(l.path))) this.placeStack(group, placements);
    }
  }

  /** Declares what all adapters share, once every stack is placed. */
  declareAdapterBuffers(): void {
    const { store, parameters } = this;
    const bytes = parameters.size * WORD;
    store.declare('params', 'parameter', bytes);
    store.declare('grads', 'gradient', bytes);
    store.declare('moment1', 'moment', bytes);
    store.declare('moment2', 'moment', bytes);
    store.declare('gram', 'state', parameters.gramSize * WORD);
    store.declare('gram_grad', 'state', parameters.gramSize * WORD);
    store.declare('slot_scale', 'input', Math.max(this.slots, 1) * this.maxRows * WORD);
    store.declare('routing', 'state', Math.max(this.routingOffset(this.stacks.length), 64) * WORD);
    store.declare(
      'stats',
      'output',
      Math.max(this.adapterCount, 1) * 64 * WORD,
      this.stacks.some(routes) ? undefined : this.plainStats(),
    );
  }

  /** What routing.stats would say where it does not run: share, mean P and mean gate are 1. */
  private plainStats(): Content {
    const one = new Uint32Array(Float32Array.of(1, 1, 1).buffer);
    const values = Array.from({ length: 64 * this.adapterCount }, (_, i) => one[i % 64] ?? 0);
    return { kind: 'words', values };
  }

  /** First float of the routing record of stack `index`, counted in `stacks`. */
  routingOffset(index: number): number {
    let offset = 0;
    for (const { stack } of this.stacks.slice(0, index)) offset += align(stack.ldRoute * this.maxTokens, 64);
    return offset;
  }

  /** y = x·Wᵀ + bias + adapters + residual for one stack of linears. */
  private adaptedLinear(graph: Graph, x: Value, linears: LinearShape[], residual?: Value): Value {
    const placed = this.byModules.get(linears.map(l => l.path).join(' '));
    const weight = this.weightOf(linears);
    if (placed) return this.adapted(graph, x, weight, placed, residual);
    return linear(graph, x, weight, undefined, residual, this.origins(linears[0].path));
  }

  /** Δy of a stack without its frozen weights. */
  adapterAlone(graph: Graph, x: Value, placed: PlacedStack): Value {
    const { n } = placed.stack;
    return this.adapted(graph, x, { storage: 'f32', rows: n, n }, placed);
  }

  private adapted(graph: Graph, x: Value, weight: Weight, placed: PlacedStack, residual?: Value): Value {
    const { stack, source } = placed;
    const places = this.adapterPlaces(placed);
    const inner = adapt(graph, x, stack, places, this.maxRows, source);
    const lowRank = { inner, sColumn: stack.sColumn, modules: stack.modules, b: places.b };
    return linear(graph, x, weight, lowRank, residual, source);
  }

  private adapterPlaces({ stack, regions, firstAdapter }: PlacedStack): AdapterPlaces {
    const { a, b, geometry, gram } = regions;
    const routing = this.routingOffset(this.stacks.findIndex(s => s.stack === stack));
    return {
      a: floats('params', a, stack.aSize),
      b: floats('params', b, stack.bSize),
      geometry: floats('params', geometry, stack.geometrySize),
      grads: floats('grads', a, geometry + Math.max(stack.geometrySize, 4) - a),
      gradsOfB: b - a,
      gradsOfGeometry: geometry - a,
      gram: floats('gram', gram, stack.gramSize),
      gramGradient: floats('gram_grad', gram, stack.gramSize),
      slotScale: this.place('slot_scale'),
      rowOf: this.place('row'),
      routing: floats('routing', routing, stack.ldRoute * this.maxTokens),
      stats: floats('stats', firstAdapter * 64, stack.adapters.length * 64),
    };
  }

  private place(name: string): Place {
    return { buffer: name, offset: 0, bytes: this.store.buffers.get(name)!.bytes };
  }

  /** The stacked weight of linears that share an input: rows padded to 8 per module, columns to 4. */
  private weightOf(linears: LinearShape[]): Weight {
    const ld = align(linears[0].in, 4);
    const n = linears.reduce((sum, l) => sum + align(l.out, 8), 0);
    const name = linears.map(l => l.path).join('+');
    let row = 0;
    const parts = linears.map(l => {
      const part = { tensor: `${l.path}.weight`, offset: row * ld, rows: l.out, columns: l.in, ld };
      row += align(l.out, 8);
      return part;
    });
    const storage = this.storages.linear;
    const place = this.store.declare(name, 'weight', n * rowWords(storage, ld) * WORD, {
      kind: 'weights',
      storage,
      parts,
    });
    if (!linears.some(l => l.bias)) return { place, storage, rows: n, n };
    row = 0;
    const biases = linears.flatMap(l => {
      const part = { tensor: `${l.path}.bias`, offset: row, rows: 1, columns: l.out, ld: align(l.out, 4) };
      row += align(l.out, 8);
      return l.bias ? [part] : [];
    });
    const bias = this.store.declare(`${name}.bias`, 'weight', n * WORD, {
      kind: 'weights',
      storage: 'f32',
      parts: biases,
    });
    return { place, storage, rows: n, n, bias };
  }

  private vector(tensors: string[], size: number): Place {
    const ld = align(size, 4);
    const parts = tensors.map((tensor, i) => ({ tensor, offset: i * ld, rows: 1, columns: size, ld }));
    return this.store.declare(tensors.join('+'), 'weight', tensors.length * ld * WORD, {
      kind: 'weights',
      storage: 'f32',
      parts,
    });
  }

  /** Builds the graph of one program over the whole model. */
  model(shape: ModelShape, mode: Mode): { graph: Graph; trunk: Trunk; loss?: Loss & { input: Value } } {
    const graph = new Graph();
    const { store } = this;
    const rows = this.tokenRows(mode);
    const cached = mode === 'prefill' || mode === 'decode';
    const [ids, position, keys, queries, slot] = ['ids', 'position', 'keys', 'queries', 'slot'].map(name =>
      this.place(name),
    );
    const positions = Math.max(this.sizes.context, this.sizes.tokens / Math.max(this.sizes.rows, 1));
    const rope = (name: string, frequencies: number[]) =>
      store.declare(name, 'constant', positions * shape.headSize * WORD, {
        kind: 'rope',
        frequencies,
        positions,
      });
    const ropeOf = ({ ropeFrequencies }: LayerShape) =>
      ropeFrequencies ? rope('rope.local', ropeFrequencies) : rope('rope', shape.ropeFrequencies);
    const table = this.tokenTable('embedding', shape.embedding, shape);
    let x = embedding(graph, ids, table, rows, shape, this.origins(shape.embedding));
    const inputs: Value[] = [];
    const append = (to: Graph, value: Value, layer: LayerShape): Value => {
      const cache = cached ? { slot, kv: this.cacheOf(layer, shape) } : undefined;
      const together = mode !== 'decode';
      const inputs = { position, rope: ropeOf(layer), keys, queries, cache, together };
      return this.layer(to, value, layer, shape, inputs);
    };
    for (const layer of shape.layers) {
      inputs.push(x);
      x = append(graph, x, layer);
    }
    const rebuild = (index: number) => {
      const copy = new Graph();
      return { graph: copy, output: append(copy, inputs[index], shape.layers[index]) };
    };
    const trunk: Trunk = { operations: graph.operations.length, inputs, output: x, rebuild };
    const targets: Rows = { symbol: 'targets', max: cached ? this.sizes.generateRows : rows.max };
    const gathered = gatherRows(
      graph,
      x,
      this.place('target_index'),
      this.place('target_of'),
      targets,
      this.origins(shape.finalNorm),
    );
    const final = rmsNorm(
      graph,
      gathered,
      this.vector([shape.finalNorm], shape.hidden),
      shape.normEpsilon,
      this.origins(shape.finalNorm),
    );
    const head = shape.head === shape.embedding ? table : this.tokenTable('head', shape.head, shape);
    const source = this.origins(shape.head);
    if (mode === 'train' || mode === 'evaluate') {
      const loss = crossEntropy(
        graph,
        final,
        head,
        shape.vocabulary,
        { labels: this.place('labels'), metrics: this.place('metrics'), index: 0 },
        mode === 'train',
        source,
        this.sizes.logitsBytes,
      );
      return { graph, trunk, loss: { ...loss, input: final } };
    }
    const logits = store.declare(
      'logits',
      'output',
      this.sizes.logitRows * logitColumns(shape.vocabulary) * WORD,
    );
    const next = store.declare('next', 'output', this.sizes.logitRows * WORD);
    predict(graph, final, head, shape.vocabulary, { logits, next }, source);
    return { graph, trunk };
  }

  /** The embedding or the head, cut into pieces of at most `bindingBytes`. */
  private tokenTable(name: string, tensor: string, shape: ModelShape): TokenTable {
    const storage = this.storages.table;
    const ld = align(shape.hidden, 4);
    const pitch = rowWords(storage, ld) * WORD;
    const most = Math.max(8, Math.floor((this.sizes.bindingBytes ?? BINDING_BYTES) / pitch / 8) * 8);
    const split = shape.vocabulary > most;
    const pieces: TokenTable['pieces'] = [];
    for (let first = 0; first < shape.vocabulary; first += most) {
      const rows = Math.min(most, shape.vocabulary - first);
      const parts = [
        { tensor, offset: 0, rows, columns: shape.hidden, ld, ...(split ? { from: first } : {}) },
      ];
      const place = this.store.declare(
        split ? `${name}.${pieces.length}` : name,
        'weight',
        align(rows, 8) * pitch,
        { kind: 'weights', storage, parts },
      );
      pieces.push({ place, first, rows });
    }
    return { storage, pieces };
  }

  private tokenRows(mode: Mode): Rows {
    const { tokens, generateRows, prefillTokens } = this.sizes;
    const max = mode === 'decode' ? generateRows : mode === 'prefill' ? prefillTokens : tokens;
    return { symbol: 'tokens', max };
  }

  private cacheOf(layer: LayerShape, shape: ModelShape): Place {
    const bytes =
      this.sizes.generateRows * this.sizes.context * 2 * shape.keyValueHeads * shape.headSize * WORD;
    return this.store.declare(`cache.${layer.index}`, 'state', bytes);
  }

  private layer(graph: Graph, x: Value, layer: LayerShape, shape: ModelShape, c: LayerInputs): Value {
    const source = this.origins(`model.layers.${layer.index}`);
    const weight = (name: string) => this.vector([name], shape.hidden);
    const [attentionIn, attentionOut, mlpIn, mlpOut] = inputGroups(layer);
    const first = rmsNorm(graph, x, weight(layer.inputNorm), shape.normEpsilon, source);
    const qkv = this.adaptedLinear(graph, first, attentionIn);
    const norms =
      layer.qNorm && layer.kNorm ? this.vector([layer.qNorm, layer.kNorm], shape.headSize) : undefined;
    const k = align(layer.q.out, 8);
    const heads = splitHeads(
      graph,
      {
        qkv,
        columns: { k, v: k + align(layer.k.out, 8) },
        position: c.position,
        rope: c.rope,
        norms,
        cache: c.cache,
      },
      shape,
      source,
    );
    const longest = c.cache
      ? this.sizes.context
      : Math.max(this.sizes.tokens / Math.max(this.sizes.rows, 1), 1);
    const o = attention(
      graph,
      heads.q,
      heads.kv,
      { keys: c.keys, queries: c.queries, longest, together: c.together },
      shape,
      source,
    );
    // Added to the residual stream by the product itself, or by the norm that stands between.
    const join = (input: Value, linears: LinearShape[], residual: Value, norm: string | undefined) => {
      if (!norm) return this.adaptedLinear(graph, input, linears, residual);
      const plain = this.adaptedLinear(graph, input, linears);
      return rmsNorm(graph, plain, weight(norm), shape.normEpsilon, source, residual);
    };
    const mixed = join(o, attentionOut, x, layer.attentionOutNorm);
    const second = rmsNorm(graph, mixed, weight(layer.postAttentionNorm), shape.normEpsilon, source);
    const gateUp = this.adaptedLinear(graph, second, mlpIn);
    const act = swiglu(graph, gateUp, align(layer.gate.out, 8), layer.gate.out, source, shape.activation);
    return join(act, mlpOut, mixed, layer.mlpOutNorm);
  }
}

/** The decoder layers of a graph, one after another. */
export interface Trunk {
  /** Operations of the graph up to the end of the last layer. */
  operations: number;
  /** What each layer reads, and what the last one leaves. */
  inputs: Value[];
  output: Value;
  /** The same layer once more, in a graph of its own, from the same input. */
  rebuild: (layer: number) => { graph: Graph; output: Value };
}

interface LayerInputs {
  position: Place;
  rope: Place;
  keys: Place;
  queries: Place;
  cache?: { slot: Place; kv: Place } | undefined;
  together: boolean;
}
