/** The named buffers of a plan that are not scratch, declared as the graph is built. */
import type { Place } from './graph.ts';
import type { Content, PlanBuffer } from './plan/schema.ts';

export class Store {
  readonly buffers = new Map<string, PlanBuffer>();
  private readonly words: number[] = [];

  /** Declares a buffer once and returns the place of all of it; declaring it again returns the same place. */
  declare(name: string, role: PlanBuffer['role'], bytes: number, content?: Content): Place {
    const size = Math.ceil(Math.max(bytes, 16) / 16) * 16;
    if (!this.buffers.has(name))
      this.buffers.set(name, { name, role, bytes: size, ...(content ? { content } : {}) });
    return { buffer: name, offset: 0, bytes: this.buffers.get(name)!.bytes };
  }

  /** A constant uniform of four words, 256-byte aligned as uniform bindings ask; equal ones share a place. */
  uniform(words: [number, number, number, number]): Place {
    for (let at = 0; at < this.words.length; at += 64) {
      if (words.every((w, i) => this.words[at + i] === w))
        return { buffer: 'sites', offset: at * 4, bytes: 16 };
    }
    const at = this.words.length;
    this.words.push(...words, ...new Array<number>(60).fill(0));
    return { buffer: 'sites', offset: at * 4, bytes: 16 };
  }

  /** All buffers, the uniforms included, in a fixed order. */
  finish(): PlanBuffer[] {
    if (this.words.length > 0)
      this.declare('sites', 'constant', this.words.length * 4, { kind: 'words', values: this.words });
    return [...this.buffers.values()];
  }
}
