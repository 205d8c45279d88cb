/** Label of a token that takes no part in the loss. */
export const IGNORED = -100;

export interface Sample {
  ids: Int32Array;
  /** Equal to `ids` where the loss acts, else −100. Not shifted: label t is predicted from token t−1. */
  labels: Int32Array;
  truncated: boolean;
  /** Answers whose first or last token also holds text from outside them; such a token counts as the answer's. */
  mergedBoundaries: number;
}

/** Number of labels that some earlier token of the sample predicts. */
export function countTargets(labels: Int32Array): number {
  let count = 0;
  for (let t = 1; t < labels.length; t++) if (labels[t] !== IGNORED) count++;
  return count;
}
