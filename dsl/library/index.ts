/** The built-in spaces, read from their own declarations. */
import { buildSpaces } from '../check-space.ts';
import { Report } from '../diagnostics/report.ts';
import { gather, Names } from '../names.ts';
import type { RadialMap } from '../program.ts';
import { Source } from '../source.ts';
import type { SpaceDefinition } from '../space.ts';
import { readSyntax } from '../syntax.ts';
import { LIBRARY } from './embedded.generated.ts';

let known: Map<string, SpaceDefinition> | undefined;

function readLibrary(): Map<string, SpaceDefinition> {
  const report = new Report();
  const names = new Names(report, true);
  for (const [file, text] of Object.entries(LIBRARY)) {
    const { file: tree, report: told } = readSyntax(new Source(file, text));
    report.list.push(...told.list);
    gather(file, tree, names, { readFile: undefined, root: '.', sources: new Map() }, report);
  }
  buildSpaces(names, report);
  const [mistake] = report.list;
  if (mistake) throw new Error(`bug: the library of spaces: ${mistake.message}`);
  return new Map(
    [...names.spaces].flatMap(([name, { definition }]) => (definition ? [[name, definition]] : [])),
  );
}

/** The definition of a built-in space; undefined for a name that is none. */
export function librarySpace(space: string, map: RadialMap | undefined): SpaceDefinition | undefined {
  known ??= readLibrary();
  return known.get(space === 'euclid' ? space : `${space}_${map ?? 'stereo'}`);
}

/** All of them, by name. */
export function librarySpaces(): ReadonlyMap<string, SpaceDefinition> {
  known ??= readLibrary();
  return known;
}
