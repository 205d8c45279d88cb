/**
 * The rules of the house that a compiler does not check: who imports whom, how long a file may get, that generated
 * files are fresh, and that nothing in the tree knows the machine it was written on.
 */
import { describe, expect, test } from 'bun:test';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { JSON_SCHEMA, jsonSchema, SHAPE, shapeModule } from '../compiler/plan/embed.ts';
import { embed as embedLibrary, GENERATED as LIBRARY } from '../dsl/library/embed.ts';
import { embed, GENERATED } from '../kernels/embed.ts';
import { paramsOf } from '../kernels/spec.ts';

const ROOT = resolve(import.meta.dir, '..');
const LONGEST_FILE = 450;

/** Files git knows or would add, as paths from the root; without git (a tarball), those in the rooms. */
function listFiles(): string[] {
  const split = (text: string) => text.split('\0').filter(file => file && existsSync(join(ROOT, file)));
  try {
    return split(
      execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], {
        cwd: ROOT,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    );
  } catch {
    const glob = new Bun.Glob('{dsl,kernels,compiler,src,test,examples,bench}/**/*');
    return [...glob.scanSync({ cwd: ROOT, dot: true })].sort();
  }
}

const files = listFiles();
const sources = files.filter(file => /^(dsl|kernels|compiler|src)\/.*\.ts$/.test(file));
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

interface Import {
  /** A path from the root, or a package name. */
  target: string;
  /** `import type`: gone at run time. */
  typeOnly: boolean;
}

/** Static, re-exporting and dynamic imports. Comments and strings that look like one count too; there are none. */
function importsOf(file: string): Import[] {
  const found: Import[] = [];
  const statement =
    /^\s*(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'/gm;
  for (const match of read(file).matchAll(statement)) {
    const specifier = match[2] ?? match[3];
    const target = specifier.startsWith('.')
      ? relative(ROOT, resolve(ROOT, dirname(file), specifier))
      : specifier;
    found.push({ target, typeOnly: match[1] !== undefined });
  }
  return found;
}

const importGraph = new Map(sources.map(file => [file, importsOf(file)]));

const isPackage = (target: string) =>
  !/^(dsl|kernels|compiler|src|test|examples|bench)\//.test(target) && target !== 'package.json';
const packageName = (target: string) =>
  target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');

/** Rooms in which a file may import directly, by where it lives; the first rule that fits holds. Types are free. */
const RULES: { of: RegExp; may: RegExp; packages: string[] | 'any' }[] = [
  // Scripts that embed texts are tools, not parts of their rooms.
  {
    of: /^(kernels|dsl\/library|compiler\/plan)\/embed\.ts$/,
    may: /^(kernels|compiler\/plan)\//,
    packages: ['node:fs', 'node:path', 'zod'],
  },
  { of: /^dsl\//, may: /^dsl\//, packages: ['chevrotain', 'zod', 'picocolors'] },
  { of: /^kernels\//, may: /^kernels\//, packages: [] },
  { of: /^compiler\/plan\//, may: /^compiler\/plan\//, packages: ['zod', 'node:crypto'] },
  { of: /^compiler\//, may: /^(dsl|kernels|compiler)\//, packages: [] },
  { of: /^src\/report\//, may: /^src\/report\//, packages: [] },
  { of: /^src\/host\//, may: /^src\/(host|report)\//, packages: 'any' },
  { of: /^src\/protocols\//, may: /^src\/(protocols|model|report)\//, packages: [] },
  {
    of: /^src\/(runtime\.ts$|runtime\/)/,
    may: /^(compiler\/plan|src\/(runtime|model|data|report))\//,
    packages: [],
  },
  {
    of: /^src\/(gpu|run|model|data)\//,
    may: /^(compiler\/plan|src\/(gpu|run|runtime|model|data|protocols|report|host))\//,
    packages: 'any',
  },
  {
    of: /^src\/language-server\//,
    may: /^(dsl\/|compiler\/(select|plan\/model)\.ts$|src\/(language-server|docs)\/|src\/model\/config\.ts$)/,
    packages: [
      'vscode-languageserver',
      'vscode-languageserver-textdocument',
      'node:fs',
      'node:path',
      'node:url',
    ],
  },
  {
    of: /^src\/docs\//,
    may: /^(dsl\/|compiler\/problems\.ts$|src\/(docs|report)\/)/,
    packages: ['node:fs'],
  },
  {
    of: /^src\/web\//,
    may: /^(compiler\/plan|src\/(web|run|runtime|model|data|report))\//,
    packages: [],
  },
  {
    of: /^src\/inspect\//,
    may: /^(compiler\/(plan\/|summary\.ts$)|src\/(inspect|report)\/)/,
    packages: [],
  },
  { of: /^src\//, may: /./, packages: 'any' },
];

/** Platform modules: the pure rooms have no file, process or network. A hash is arithmetic and every runtime has it. */
const PLATFORM = /^(node:(?!crypto$)|bun($|:))/;

describe('imports', () => {
  test('every file keeps to its room', () => {
    const broken: string[] = [];
    for (const [file, imports] of importGraph) {
      const rule = RULES.find(({ of }) => of.test(file))!;
      for (const { target, typeOnly } of imports) {
        if (typeOnly) continue;
        const allowed = isPackage(target)
          ? rule.packages === 'any' ||
            rule.packages.includes(packageName(target)) ||
            rule.packages.includes(target)
          : rule.may.test(target);
        if (!allowed) broken.push(`${file} imports ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  test('types do not couple the language and the kernels', () => {
    const broken = [...importGraph].flatMap(([file, imports]) =>
      imports
        .filter(({ target }) => !isPackage(target))
        .filter(
          ({ target }) =>
            (/^dsl\//.test(file) && !/^dsl\//.test(target)) ||
            (/^kernels\//.test(file) && !/^kernels\//.test(target)),
        )
        .map(({ target }) => `${file} imports ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test('whatever runs a plan loads neither language nor compiler nor kernels, not even through others', () => {
    const broken: string[] = [];
    for (const start of sources.filter(file =>
      /^src\/(gpu|run|runtime|web|model|data|host|report)\//.test(file),
    )) {
      const path = pathTo(
        start,
        target => /^(dsl|kernels|compiler)\//.test(target) && !/^compiler\/plan\//.test(target),
      );
      if (path) broken.push(path.join(' → '));
    }
    expect(broken).toEqual([]);
  });

  test('the pure rooms use no platform module', () => {
    const broken = [...importGraph]
      .filter(([file]) => /^(dsl|kernels|compiler)\//.test(file) && !file.endsWith('/embed.ts'))
      .flatMap(([file, imports]) =>
        imports
          .filter(({ target }) => PLATFORM.test(target))
          .map(({ target }) => `${file} imports ${target}`),
      );
    expect(broken).toEqual([]);
  });

  test('every relative import names a file that exists', () => {
    const broken = [...importGraph].flatMap(([file, imports]) =>
      imports
        .filter(({ target }) => !isPackage(target) && !existsSync(join(ROOT, target)))
        .map(({ target }) => `${file} imports ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test('packages that are imported are declared', () => {
    const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>;
    const declared = new Set(
      ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap(kind =>
        Object.keys(manifest[kind] ?? {}),
      ),
    );
    const missing = [...importGraph].flatMap(([file, imports]) =>
      imports
        .filter(
          ({ target, typeOnly }) =>
            !typeOnly &&
            isPackage(target) &&
            !/^(node:|bun($|:))/.test(target) &&
            packageName(target) !== 'mos' &&
            !declared.has(packageName(target)),
        )
        .map(({ target }) => `${file} imports ${target}`),
    );
    expect(missing).toEqual([]);
  });
});

/** The shortest chain of value imports from `start` to a file for which `isBad` holds. */
function pathTo(start: string, isBad: (target: string) => boolean): string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[start, undefined]]);
  const chain = (file: string | undefined): string[] =>
    file === undefined ? [] : [...chain(cameFrom.get(file)), file];
  for (const file of cameFrom.keys()) {
    for (const { target, typeOnly } of importGraph.get(file) ?? []) {
      if (typeOnly || cameFrom.has(target)) continue;
      cameFrom.set(target, file);
      if (isBad(target)) return chain(target);
    }
  }
  return undefined;
}

describe('files', () => {
  test(`no source file has more than ${LONGEST_FILE} lines`, () => {
    const long = files
      .filter(file => /\.(ts|wgsl)$/.test(file) && !file.includes('.generated.'))
      .map(file => [file, read(file).split('\n').length - 1] as const)
      .filter(([, lines]) => lines > LONGEST_FILE);
    expect(long).toEqual([]);
  });

  test('the embedded WGSL is fresh (else run `bun run generate:wgsl`)', () => {
    expect(readFileSync(GENERATED, 'utf8') === embed()).toBe(true);
  });

  test('the embedded library of spaces is fresh (else run `bun run generate:spaces`)', () => {
    expect(readFileSync(LIBRARY, 'utf8') === embedLibrary()).toBe(true);
  });

  test('what is derived from the schema of plans is fresh (else run `bun run generate:plan`)', () => {
    expect(readFileSync(SHAPE, 'utf8') === shapeModule()).toBe(true);
    expect(readFileSync(JSON_SCHEMA, 'utf8') === jsonSchema()).toBe(true);
  });

  test('every line marked @param is one that `specialise` can rewrite', () => {
    const broken: string[] = [];
    for (const file of files.filter(name => name.endsWith('.wgsl'))) {
      const text = read(file);
      const marked = text.split('\n').filter(line => line.includes('@param'));
      if (marked.length !== paramsOf(text).size) broken.push(file);
      for (const name of paramsOf(text).keys())
        if (!/^[A-Z][A-Z0-9_]*$/.test(name)) broken.push(`${file}: ${name}`);
    }
    expect(broken).toEqual([]);
  });

  test('code runs in Node 22, which strips types and knows no `using`', () => {
    const broken = files.filter(
      file =>
        /^(dsl|compiler|kernels|src)\/.*\.ts$/.test(file) && /^\s*(await )?using \w+ = /m.test(read(file)),
    );
    expect(broken).toEqual([]);
  });

  test('no text names a place on the machine it was written on, or a package host', () => {
    const telling = /\/(home|Users|root|work)\/[\w.]|C:\\Users|registry\.\w+\./;
    const text = files.filter(file =>
      /\.(ts|js|json|jsonc|lock|md|mos|wgsl|toml|yml|yaml)$|^\.ci\//.test(file),
    );
    const broken = text.flatMap(file => {
      const line = read(file)
        .split('\n')
        .find(l => l.length < 20_000 && telling.test(l));
      return line ? [`${file}: ${line.trim().slice(0, 100)}`] : [];
    });
    expect(broken).toEqual([]);
  });
});
