/** Mistakes in a `sweep`. Wrong values are told with the codes of the block they belong to. */
import { entries } from './entry.ts';

export const sweepEntries = entries({
  'ambiguous-field': {
    severity: 'error',
    about: 'More than one kind of block has a field of this name, so a sweep says which it means.',
    wrong: 'adapter q_proj < >\nsweep < router: [top1, top2] >',
    right: 'adapter q_proj < >\nsweep < adapter.router: [top1, top2] >',
  },
  'empty-sweep': {
    severity: 'error',
    about: 'A sweep goes through lists of values, and here there is nothing to go through.',
    wrong: 'sweep < >',
    right: 'sweep < seed: [1, 2, 3] >',
  },
  'sweep-of-one': {
    severity: 'warning',
    about: 'A sweep with a single combination is a single program, which the block itself can say.',
    wrong: 'sweep < seed: [1] >',
    right: 'sweep < seed: [1, 2] >',
  },
  'repeated-value': {
    severity: 'error',
    about: 'A value is twice in the list of a sweep, and would be run twice.',
    wrong: 'sweep < seed: [1, 2, 1] >',
    right: 'sweep < seed: [1, 2] >',
  },
  'too-many-variants': {
    severity: 'error',
    about: 'The lists of a sweep multiply, and their product is more programs than anyone can run.',
    wrong: 'sweep < seed: 1..100; rank: 1..100 >',
    right: 'sweep < seed: 1..3; rank: [4, 8, 16] >',
  },
  'equal-variants': {
    severity: 'note',
    about:
      'Some combinations of a sweep mean the same program: a single expert has no router, a flat one no map. Each program is run once.',
    wrong: 'sweep < experts: [[euclid], [sphere]]; experts.map: [stereo, exp] >',
    right: 'sweep < experts: [[hyperbolic], [sphere]]; experts.map: [stereo, exp] >',
  },
});
