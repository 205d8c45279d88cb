/** The language server, through its protocol, as an editor meets it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Edit, Editor, edited, type Range } from './client.ts';

const CONFIG = readFileSync(join(import.meta.dir, '../../examples/models/tiny-qwen2/config.json'), 'utf8');
let editor: Editor;

beforeAll(async () => {
  editor = new Editor();
  editor.put('models/tiny/config.json', CONFIG);
  await editor.start();
});
afterAll(async () => {
  expect(await editor.stop()).toBe(0);
});

const MODEL = 'model "models/tiny" < >\n';

async function completions(marked: string): Promise<string[]> {
  const { textDocument, position } = await editor.open('main.mos', marked);
  const items = (await editor.request('textDocument/completion', { textDocument, position })) as {
    label: string;
  }[];
  return items.map(({ label }) => label);
}

async function hovered(marked: string): Promise<string> {
  const { textDocument, position } = await editor.open('main.mos', marked);
  const found = (await editor.request('textDocument/hover', { textDocument, position })) as {
    contents: { value: string };
  } | null;
  return found?.contents.value ?? '';
}

describe('completion', () => {
  const cases: [marked: string, has: string[], lacks: string[]][] = [
    ['|', ['model', 'adapter', 'train', 'sweep', 'let', 'use', 'space'], ['export', 'rank']],
    ['adapter q_proj < >\ntr|', ['train'], ['rank']],
    [`${MODEL}adapter |`, ['all-linear', 'layers', 'q_proj', 'down_proj'], ['on', 'rank']],
    ['eval a: |', ['on'], ['layers']],
    ['adapter q_proj < | >', ['rank', 'experts', 'router'], ['steps', 'sphere']],
    ['adapter q_proj < rank: 8; | >', ['experts'], ['rank']],
    ['adapter q_proj < experts: | >', ['sphere', 'hyperbolic', 'kappa', 'euclid'], ['top2', 'rank']],
    ['adapter q_proj < experts: sphere, hyp|', ['hyperbolic'], ['top2']],
    ['adapter q_proj < experts: sphere(|) >', ['c', 'map', 'scale', 'rank'], ['k', 'sphere']],
    ['adapter q_proj < experts: sphere(c=learn, | >', ['map'], ['c']],
    ['adapter q_proj < experts: sphere(map=|) >', ['stereo', 'exp'], ['learn']],
    ['adapter q_proj < experts: sphere(c=|) >', ['learn'], ['stereo']],
    ['adapter q_proj < experts: sphere(c=learn(|)) >', ['init', 'min', 'max', 'lr'], ['map']],
    ['adapter q_proj < experts: sphere; router: | >', ['top1', 'top2', 'topk', 'soft'], ['sphere']],
    ['adapter q_proj < experts: sphere, euclid; router: top2(gate=|', ['renorm', 'softmax'], ['aux']],
    ['let few = sphere;\nadapter q_proj < experts: $| >', ['$few'], ['sphere']],
    ['let few = |', ['sphere', 'top2'], ['rank']],
    ['space horn(c: | ', ['positive', 'real', 'unit'], ['sphere']],
    [
      'space horn(c: positive = learn) < lift(r) = r; drop(r) = r >\nadapter q_proj < experts: | >',
      ['horn', 'sphere'],
      [],
    ],
    [
      'space horn(c: positive = learn) < lift(r) = r; drop(r) = r >\nadapter q_proj < experts: horn(| >',
      ['c', 'scale'],
      ['map'],
    ],
    ['train < schedule: cosine(| >', ['warmup', 'floor'], ['lr']],
    ['sweep < | >', ['seed', 'experts', 'adapter.router', 'train.router'], []],
    ['sweep < experts: [[|', ['sphere'], ['top2']],
  ];
  test.each(cases)('%s', async (marked, has, lacks) => {
    const labels = await completions(marked);
    for (const label of has) expect(labels).toContain(label);
    for (const label of lacks) expect(labels).not.toContain(label);
  });

  test('nothing in comments and strings', async () => {
    expect(await completions('// ad|')).toEqual([]);
    expect(await completions('adapter "q|" < >')).toEqual([]);
  });
});

describe('hover', () => {
  test.each([
    ['ada|pter q_proj < >', 'mixture of spaces'],
    ['adapter q_proj < ra|nk: 8 >', 'Default: `8`'],
    ['adapter q_proj < experts: sph|ere >', 'Curvature +c'],
    ['adapter q_proj < experts: sphere(ma|p=exp) >', 'lifted onto the space'],
    ['adapter q_proj < experts: sphere(map=ex|p) >', 'exponential'],
    ['adapter q_proj < experts: sphere(c=le|arn) >', '`init`'],
    ['let few = sphere(c=0.5);\nadapter q_proj < experts: $f|ew >', 'let few = sphere(c=0.5);'],
    ['adapter q_proj < experts: spher|e; router: sphrere >', 'Curvature'],
    ['adapter q_proj < experts: sphe|rre >', '`unknown-space`: An expert lives on a space'],
    ['train < lr: 1e-3; sched|ule: cosine >', '`cosine`'],
    ['l|et a = 3', 'constant'],
  ])('%s', async (marked, part) => {
    expect(await hovered(marked)).toContain(part);
  });

  test('nothing over nothing', async () => {
    expect(await hovered('adapter q_proj < > |')).toBe('');
  });
});

describe('diagnostics', () => {
  test('with place, code and help; none when corrected', async () => {
    const { diagnostics } = await editor.open('main.mos', `${MODEL}adapter q_proj < experts: sphrere >`);
    expect(diagnostics).toHaveLength(1);
    expect(diagnostics[0]).toMatchObject({
      code: 'unknown-space',
      severity: 1,
      range: { start: { line: 1, character: 26 }, end: { line: 1, character: 33 } },
    });
    expect(diagnostics[0].message).toContain('help: replace it with `sphere`');
    expect((await editor.open('main.mos', `${MODEL}adapter q_proj < experts: sphere >`)).diagnostics).toEqual(
      [],
    );
  });

  test('of the compiler, where the model is at hand', async () => {
    const { diagnostics } = await editor.open(
      'main.mos',
      `${MODEL}adapter q_porj < >\nadapter q_proj < >\nadapter q_proj < >`,
    );
    expect(diagnostics.map(({ code }) => code)).toEqual(['no-module-matches', 'overlapping-adapters']);
    expect(diagnostics[1].relatedInformation?.[0].location.range.start.line).toBe(2);
  });

  test('of a used file, at the `use`', async () => {
    editor.put('bad.mos', 'let a = ;');
    const { diagnostics } = await editor.open('main.mos', 'adapter q_proj < >\nuse "bad.mos";');
    expect(diagnostics[0]).toMatchObject({ code: 'missing-value', range: { start: { line: 1 } } });
    expect(diagnostics[0].relatedInformation?.[0].location.uri).toBe(editor.uri('bad.mos'));
  });

  test('an open file goes before the one on disk', async () => {
    editor.put('lib.mos', 'let other = sphere;');
    await editor.open('lib.mos', 'let few = sphere;');
    const { diagnostics } = await editor.open('main.mos', 'use "lib.mos";\nadapter q_proj < experts: $few >');
    expect(diagnostics).toEqual([]);
  });
});

describe('corrections', () => {
  test('one for a mistake, and all safe ones together', async () => {
    const { textDocument, text, diagnostics } = await editor.open(
      'main.mos',
      "model 'models/tiny' < >\nadapter q_proj < rank: 4.; alpha: .5 >",
    );
    expect(diagnostics).toHaveLength(3);
    const found = (await editor.request('textDocument/codeAction', {
      textDocument,
      range: diagnostics[1].range,
      context: { diagnostics: [diagnostics[1]] },
    })) as {
      title: string;
      kind: string;
      isPreferred?: boolean;
      edit: { changes: Record<string, Edit[]> };
    }[];
    const [quick, all] = [
      found.find(({ kind }) => kind === 'quickfix'),
      found.find(({ kind }) => kind === 'source.fixAll'),
    ];
    expect(quick).toMatchObject({ isPreferred: true, title: 'write `4.0`' });
    expect(edited(text, quick?.edit.changes[textDocument.uri] ?? [])).toContain('rank: 4.0;');
    const corrected = edited(text, all?.edit.changes[textDocument.uri] ?? []);
    expect(corrected).toBe('model "models/tiny" < >\nadapter q_proj < rank: 4.0; alpha: 0.5 >');
    expect((await editor.open('main.mos', corrected)).diagnostics).toEqual([]);
  });
});

describe('formatting', () => {
  const format = async (text: string) => {
    const { textDocument } = await editor.open('main.mos', text);
    return (await editor.request('textDocument/formatting', {
      textDocument,
      options: { tabSize: 8, insertSpaces: false },
    })) as Edit[];
  };
  test('as `mos fmt`; nothing for a neat or a broken file', async () => {
    const ugly = 'adapter q_proj<rank:8>\n\n\n// end';
    expect(edited(ugly, await format(ugly))).toBe('adapter q_proj < rank: 8 >\n\n// end\n');
    expect(await format('adapter q_proj < rank: 8 >\n')).toEqual([]);
    expect(await format('adapter q_proj < rank: 8')).toEqual([]);
  });
});

describe('names', () => {
  const MAIN =
    'use "lib.mos";\nlet two = $few;\nspace horn(c: positive) < lift(r) = r; drop(r) = r >\nadapter q_proj < experts: $few, $two, horn, sphere >\n';
  const at = (word: string, nth = 0) => {
    const index = [...MAIN.matchAll(new RegExp(`\\b${word}\\b`, 'g'))][nth].index;
    return editor.open('main.mos', `${MAIN.slice(0, index + 1)}|${MAIN.slice(index + 1)}`);
  };
  const asked = async (method: string, word: string, extra: object = {}, nth = 0) => {
    const { textDocument, position } = await at(word, nth);
    return editor.request(`textDocument/${method}`, { textDocument, position, ...extra });
  };
  beforeAll(async () => {
    await editor.open('lib.mos', 'let few = sphere;');
    editor.put('third.mos', 'use "lib.mos";\nadapter v_proj < experts: $few >');
    editor.put('unrelated.mos', 'let few = euclid;\nadapter v_proj < experts: $few >');
  });

  test('definition', async () => {
    expect(await asked('definition', 'few', {}, 0)).toMatchObject({
      uri: editor.uri('lib.mos'),
      range: { start: { line: 0, character: 4 } },
    });
    expect(await asked('definition', 'two', {}, 1)).toMatchObject({
      uri: editor.uri('main.mos'),
      range: { start: { line: 1, character: 4 } },
    });
    expect(await asked('definition', 'horn', {}, 1)).toMatchObject({
      range: { start: { line: 2, character: 6 } },
    });
    expect(await asked('definition', 'sphere', {}, 0)).toBeNull();
  });

  test('references, in every file that shares the name', async () => {
    const all = (await asked('references', 'few', { context: { includeDeclaration: true } })) as {
      uri: string;
    }[];
    const count = (name: string) => all.filter(({ uri }) => uri === editor.uri(name)).length;
    expect(['main.mos', 'lib.mos', 'third.mos', 'unrelated.mos'].map(count)).toEqual([2, 1, 1, 0]);
    expect(await asked('references', 'horn', { context: { includeDeclaration: false } })).toHaveLength(1);
  });

  test('rename', async () => {
    expect(await asked('prepareRename', 'few')).toMatchObject({ placeholder: 'few' });
    const { changes } = (await asked('rename', 'few', { newName: 'several' })) as {
      changes: Record<string, Edit[]>;
    };
    expect(Object.keys(changes).sort()).toEqual(
      ['lib.mos', 'main.mos', 'third.mos'].map(name => editor.uri(name)).sort(),
    );
    expect(edited(MAIN, changes[editor.uri('main.mos')])).toBe(MAIN.replaceAll('$few', '$several'));
    const space = (await asked('rename', 'horn', { newName: 'trumpet' })) as {
      changes: Record<string, Edit[]>;
    };
    expect(edited(MAIN, space.changes[editor.uri('main.mos')])).toBe(MAIN.replaceAll('horn', 'trumpet'));
  });

  test('a name that cannot be is refused', async () => {
    await expect(asked('rename', 'few', { newName: 'two' })).rejects.toThrow('`two` is declared already');
    await expect(asked('rename', 'few', { newName: 'true' })).rejects.toThrow('reserved');
    await expect(asked('rename', 'few', { newName: 'a b' })).rejects.toThrow('letters');
    expect(await asked('prepareRename', 'sphere')).toBeNull();
  });
});

describe('hints, symbols', () => {
  const whole: Range = { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } };

  test('how many modules each adapter matches', async () => {
    const { textDocument } = await editor.open(
      'main.mos',
      `${MODEL}adapter q_proj, "mlp.*_proj" layers 0..2 < >\nadapter v_proj < >`,
    );
    const hints = (await editor.request('textDocument/inlayHint', { textDocument, range: whole })) as {
      label: string;
      position: object;
      tooltip: string;
    }[];
    expect(hints.map(({ label }) => label)).toEqual(['matches 12 modules', 'matches 6 modules']);
    expect(hints[0].position).toEqual({ line: 1, character: 40 });
    expect(hints[0].tooltip).toContain('self_attn.q_proj in layers 0..2');
  });

  test('none without a model, and none that is damaged', async () => {
    editor.put('models/broken/config.json', '{');
    for (const path of ['models/none', 'models/broken']) {
      const { textDocument, diagnostics } = await editor.open(
        'main.mos',
        `model "${path}" < >\nadapter q_proj < >`,
      );
      expect(diagnostics).toEqual([]);
      expect(await editor.request('textDocument/inlayHint', { textDocument, range: whole })).toEqual([]);
    }
  });

  test('symbols', async () => {
    const { textDocument } = await editor.open(
      'main.mos',
      'let a = 3;\nadapter math: q_proj, o_proj < rank: 8; alpha: 4 >',
    );
    const found = (await editor.request('textDocument/documentSymbol', { textDocument })) as {
      name: string;
      detail?: string;
      children?: { name: string }[];
    }[];
    expect(found.map(({ name, detail }) => [name, detail])).toEqual([
      ['a', undefined],
      ['adapter', 'math: q_proj, o_proj'],
    ]);
    expect(found[1].children?.map(({ name }) => name)).toEqual(['rank', 'alpha']);
  });
});

test('nothing it is asked about broken text makes it fail', async () => {
  const text = `${MODEL}let a = sphere\nspace h(c: < lift(r = \nadapter math: q_proj < experts: $a, hyperbolic(c=learn(init=; router: [[top2 >\ntrain < /* \n"`;
  for (let cut = 0; cut <= text.length; cut += 3) {
    const { textDocument, position } = await editor.open('broken.mos', `${text.slice(0, cut)}|`);
    const ask = (method: string, extra: object = {}) =>
      editor.request(`textDocument/${method}`, { textDocument, position, ...extra });
    await Promise.all([
      ask('completion'),
      ask('hover'),
      ask('definition'),
      ask('prepareRename'),
      ask('documentSymbol'),
      ask('formatting', { options: {} }),
      ask('references', { context: { includeDeclaration: true } }),
      ask('semanticTokens/full'),
      ask('codeAction', { range: { start: position, end: position }, context: { diagnostics: [] } }),
    ]);
  }
});
