/** The built-in spaces' module for tests that run the gains kernels without a plan. */
import { emitSpaces } from '../../compiler/spaces/emit.ts';
import { radialOf } from '../../compiler/spaces/resolve.ts';
import { librarySpaces as declared } from '../../dsl/library/index.ts';
import type { ParamValue } from '../../kernels/spec.ts';

const curved = [...declared().values()].map(radialOf).filter(space => !space.flat);
const names = curved.map(space => space.definition.name);
const nameOf = (kind: string, map: string) =>
  kind === 'none' || map === 'euclid' ? undefined : `${kind}_${map}`;

export const librarySpaces = {
  text: emitSpaces(curved),
  /** Number of a space in `text`, 0 for flat ones. */
  number: (kind: string, map: string): number => names.indexOf(nameOf(kind, map) ?? '') + 1,
};

/** Parameters of the kernels that say which spaces the experts are on; only those are in the module. */
export function spacesOf(experts: readonly { kind: string; space: string }[]): Record<string, ParamValue> {
  const used = [...new Set(experts.flatMap(x => nameOf(x.kind, x.space) ?? []))];
  return {
    SPACES: emitSpaces(used.map(name => curved[names.indexOf(name)])),
    SPACE: experts.map(x => used.indexOf(nameOf(x.kind, x.space) ?? '') + 1),
    PARAMETERS: experts.map(x => (x.kind === 'none' ? 0 : 1)),
  };
}
