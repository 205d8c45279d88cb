/** Plans on disk: what is written comes back, and whatever was tampered with is named instead of run or thrown. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { decodePlan, encodePlan } from '../../compiler/plan/codec.ts';
import type { Dispatch, Plan } from '../../compiler/plan/schema.ts';
import { compileSmall } from '../run/small.ts';

const compiled = compileSmall({
  adapters: 'adapter q_proj, o_proj < rank: 4; experts: hyperbolic, euclid; router: top1 >',
  data: 'length: 32; validation: 10%; loss: response',
  evals: 'eval e: on "e.jsonl" < max_tokens: 8; batch: 4 >',
});
const encoded = encodePlan(compiled.plan, compiled.files);

function decode(edit: (plan: Plan, files: Map<string, string>) => void) {
  const plan = structuredClone(compiled.plan);
  const files = new Map(encoded);
  edit(plan, files);
  if (!files.has('edited')) files.set('plan.json', JSON.stringify(plan));
  return decodePlan(path => files.get(path));
}

/** `problem: message`, or `ok`. */
function verdict(edit: (plan: Plan, files: Map<string, string>) => void): string {
  const result = decode(edit);
  return 'problem' in result ? `${result.problem}: ${result.message}` : 'ok';
}

const text = (content: string) => verdict((_, files) => files.set('plan.json', content).set('edited', ''));

const indexOf = (plan: Plan, name: string) => plan.buffers.findIndex(b => b.name === name);
const accessOf = (plan: Plan, d: Dispatch, i: number) =>
  plan.kernels[d.variants[0].kernel].bindings[i].access;

/** A dispatch of the forward program and one of its bindings with the given access. */
function find(plan: Plan, access: string) {
  for (const dispatch of plan.programs.forward) {
    const at = dispatch.bindings.findIndex((_, i) => accessOf(plan, dispatch, i) === access);
    if (at >= 0) return { dispatch, view: dispatch.bindings[at], at };
  }
  throw new Error(`no ${access}`);
}

test('what is written comes back', () => {
  const result = decodePlan(path => encoded.get(path));
  expect(result).toEqual({ plan: compiled.plan, files: compiled.files });
  expect(verdict(() => {})).toBe('ok');
});

describe('files', () => {
  const [kernel] = compiled.plan.kernels;

  test('a changed, missing or empty kernel', () => {
    expect(verdict((_, files) => files.set(kernel.file, `${files.get(kernel.file)} `))).toBe(
      `damaged: ${kernel.file} was changed after it was compiled`,
    );
    expect(verdict((_, files) => files.delete(kernel.file))).toBe(`damaged: ${kernel.file} is missing`);
    expect(verdict((_, files) => files.set(kernel.file, ''))).toStartWith('damaged');
    expect(
      verdict(plan => {
        plan.kernels[0].sha256 = '0'.repeat(64);
      }),
    ).toStartWith('damaged');
  });

  test('a kernel outside the folder', () => {
    for (const file of [
      '../x.wgsl',
      'kernels/../../x.wgsl',
      '/etc/passwd',
      'kernels/a/b.wgsl',
      'kernels\\x.wgsl',
    ]) {
      expect(
        verdict(plan => {
          plan.kernels[0].file = file;
        }),
      ).toStartWith('invalid');
    }
  });

  test('no plan at all', () => {
    expect(
      verdict((_, files) => {
        files.set('edited', '').delete('plan.json');
      }),
    ).toBe('damaged: there is no plan.json');
    expect(text('{"format": "mosplan"')).toBe('invalid: plan.json is not valid JSON');
    for (const content of ['', 'null', '[]', '3', '"mosplan"', '{}', `${'['.repeat(1e5)}${']'.repeat(1e5)}`])
      expect(text(content)).toStartWith('invalid');
  });

  test('another version', () => {
    expect(verdict(plan => Object.assign(plan, { version: '2.0' }))).toBe(
      'version: the plan has format version 2.0, this reads version 1.0',
    );
    for (const version of [0, 1, '1', '1.0.0', '01.0 ', null, {}])
      expect(verdict(plan => Object.assign(plan, { version }))).toStartWith('version');
    // a later format may look like anything
    expect(text('{"format": "mosplan", "version": 7, "what": "ever"}')).toStartWith('version');
  });

  test('unknown and hostile keys, at any depth', () => {
    expect(verdict(plan => Object.assign(plan, { extra: 1 }))).toStartWith('invalid');
    expect(verdict(plan => Object.assign(plan.buffers[0], { path: 'x' }))).toStartWith('invalid');
    expect(verdict(plan => Object.assign(plan.programs.forward[0], { code: 'x' }))).toStartWith('invalid');
    const json = encoded.get('plan.json')!;
    for (const key of ['__proto__', 'constructor', 'toString']) {
      expect(text(json.replace('{', `{"${key}": {"polluted": 1},`))).toStartWith('invalid');
      expect(text(json.replace('"programs": {', `"programs": {"${key}": {"polluted": 1},`))).toStartWith(
        'invalid',
      );
      expect(text(json.replace('"limits": {', `"limits": {"${key}": 1`))).toStartWith('invalid');
    }
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('dispatches', () => {
  test('a binding that leaves its buffer, or none', () => {
    expect(
      verdict(plan => {
        find(plan, 'read').view.bytes += 4096 * 4096;
      }),
    ).toContain('reaches past the end');
    expect(
      verdict(plan => {
        find(plan, 'read').view.offset += 2 ** 40;
      }),
    ).toContain('reaches past the end');
    expect(
      verdict(plan => {
        find(plan, 'read').view.buffer = 9999;
      }),
    ).toContain('no such buffer');
    expect(
      verdict(plan => {
        find(plan, 'read').view.buffer = -1;
      }),
    ).toStartWith('invalid');
    expect(
      verdict(plan => {
        find(plan, 'read').view.bytes = 0;
      }),
    ).toStartWith('invalid');
  });

  test('an offset or size WebGPU would refuse', () => {
    expect(
      verdict(plan => {
        const { view } = find(plan, 'read');
        view.offset = 4;
        view.bytes = 16;
      }),
    ).toContain('not aligned');
    expect(
      verdict(plan => {
        find(plan, 'read').view.bytes = 15;
      }),
    ).toContain('not aligned');
  });

  test('a buffer that is written and bound twice', () => {
    expect(
      verdict(plan => {
        const { dispatch, view, at } = find(plan, 'write');
        const other = dispatch.bindings.findIndex(
          (_, i) => i !== at && accessOf(plan, dispatch, i) === 'read',
        );
        dispatch.bindings[other] = { ...view };
      }),
    ).toContain('bound twice and written');
  });

  test('a write to a weight or a constant', () => {
    for (const name of ['head', 'gram_table']) {
      expect(
        verdict(plan => {
          Object.assign(find(plan, 'write').view, { buffer: indexOf(plan, name), offset: 0, bytes: 16 });
        }),
      ).toContain(`${name} is written`);
    }
  });

  test('a variant that binds otherwise than the first one', () => {
    expect(
      verdict(plan => {
        const dispatch = plan.programs.forward.find(d => d.variants.length > 1)!;
        const kernel = plan.kernels[dispatch.variants[1].kernel];
        const at = kernel.bindings.findIndex(b => b.access === 'read');
        kernel.bindings[at] = { ...kernel.bindings[at], access: 'read_write' };
      }),
    ).toContain('bindings');
    expect(
      verdict(plan => {
        plan.kernels[plan.programs.forward[0].variants[0].kernel].bindings.pop();
      }),
    ).toContain('bindings');
  });

  test('a kernel, origin or size that does not exist', () => {
    expect(
      verdict(plan => {
        plan.programs.forward[0].variants[0].kernel = 9999;
      }),
    ).toContain('no such kernel');
    expect(
      verdict(plan => {
        plan.programs.forward[0].origin = 9999;
      }),
    ).toContain('no such origin');
    for (const size of [
      -1,
      0.5,
      1e300,
      { symbol: 'tokens', multiply: 1, divide: 0 },
      { symbol: 'past', multiply: 1, divide: 1 },
    ]) {
      expect(
        verdict(plan => {
          plan.programs.forward[0].variants[0].grid[0] = size as number;
        }),
      ).toStartWith('invalid');
    }
  });
});

describe('tables', () => {
  test('a parameter outside its buffer', () => {
    const cases: ((plan: Plan) => void)[] = [
      plan => {
        plan.parameters[0].offset = 2 ** 30;
      },
      plan => {
        plan.parameters.at(-1)!.rows = 2 ** 40;
      },
      plan => {
        plan.parameters[0].ld = 1;
      },
      plan => {
        plan.parameters[0].group = 99;
      },
      plan => {
        plan.parameters[1].name = plan.parameters[0].name;
      },
      plan => {
        plan.sites[0].experts[0].parameters[0].offset = 2 ** 30;
      },
    ];
    for (const edit of cases) expect(verdict(edit)).toStartWith('invalid');
  });

  test('group runs that do not cover the parameters exactly', () => {
    expect(
      verdict(plan => {
        plan.groupRuns[0][1]++;
      }),
    ).toStartWith('invalid');
    expect(
      verdict(plan => {
        plan.groupRuns.pop();
      }),
    ).toStartWith('invalid');
    expect(
      verdict(plan => {
        plan.groupRuns[0][0] = 99;
      }),
    ).toStartWith('invalid');
  });

  test('contents larger than their buffers', () => {
    expect(
      verdict(plan => {
        const { content } = plan.buffers[indexOf(plan, 'embedding')];
        if (content?.kind === 'weights') content.parts[0].offset = 2 ** 40;
      }),
    ).toContain('does not fit');
    expect(
      verdict(plan => {
        const { content } = plan.buffers[indexOf(plan, 'rope')];
        if (content?.kind === 'rope') content.positions = 2 ** 40;
      }),
    ).toContain('rope');
    expect(
      verdict(plan => {
        plan.buffers[indexOf(plan, 'sites')].bytes = 16;
      }),
    ).toStartWith('invalid');
    expect(
      verdict(plan => {
        plan.buffers[1].name = plan.buffers[0].name;
      }),
    ).toContain('one name');
    expect(
      verdict(plan => {
        plan.buffers[0].bytes = 50;
      }),
    ).toContain('whole number of words');
  });

  test('sites that point nowhere', () => {
    expect(
      verdict(plan => {
        plan.sites[0].slot = 9;
      }),
    ).toStartWith('invalid');
    expect(
      verdict(plan => {
        plan.sites[0].origin = 9999;
      }),
    ).toStartWith('invalid');
  });

  test('requirements that are not those of the tables', () => {
    expect(
      verdict(plan => {
        plan.requires.bytes--;
      }),
    ).toContain('requirements');
    expect(
      verdict(plan => {
        plan.requires.limits = { maxBufferSize: 2 ** 40 };
      }),
    ).toContain('requirements');
    expect(
      verdict(plan => {
        plan.requires.features = ['shader-f16'];
      }),
    ).toContain('requirements');
    expect(
      verdict(plan => {
        plan.buffers[indexOf(plan, 'params')].bytes += 2 ** 30;
      }),
    ).toStartWith('invalid');
  });
});

/** Every place in the plan that holds a number, a string or a list, as paths. */
function paths(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, v]) => paths(v, [...path, key]))];
}

test('nothing written anywhere in the plan makes the reader throw', () => {
  const places = paths(compiled.plan).filter(p => p.length > 0);
  const junk = fc.oneof(
    fc.constantFrom<unknown>(null, -1, 0, 0.5, 2 ** 53, 1e300, '', '__proto__', [], {}, true, [[]]),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.nat(places.length - 1), junk, (index, value) => {
      const result = decode(plan => {
        const place = places[index];
        let target = plan as unknown as Record<string | number, unknown>;
        for (const key of place.slice(0, -1)) target = target[key] as Record<string | number, unknown>;
        target[place.at(-1)!] = value;
      });
      expect('problem' in result || result.plan !== undefined).toBe(true);
    }),
    { numRuns: 60 },
  );
});
