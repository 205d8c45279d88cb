/**
 * Angular frequencies of rotary position embeddings, in radians per position. Feature pair i of a head of size d turns
 * with θ^(−2i/d) (Su et al., arXiv 2104.09864); scaling methods stretch these frequencies so that longer contexts fit.
 */

export type RopeScaling =
  | { type: 'default' }
  | { type: 'linear'; factor: number }
  | {
      type: 'llama3';
      factor: number;
      /** Wavelengths longer than original/low are stretched by `factor`, shorter than original/high are kept. */
      low: number;
      high: number;
      /** Context length of pre-training, tokens. */
      original: number;
    };

/** headSize/2 frequencies, scaling applied. */
export function ropeFrequencies(headSize: number, theta: number, scaling: RopeScaling): number[] {
  const plain = Array.from({ length: headSize / 2 }, (_, i) => theta ** ((-2 * i) / headSize));
  switch (scaling.type) {
    case 'default':
      return plain;
    case 'linear':
      return plain.map(frequency => frequency / scaling.factor);
    case 'llama3':
      return plain.map(frequency => {
        // How many turns the pair makes within the original context decides how much it is stretched.
        const turns = (scaling.original * frequency) / (2 * Math.PI);
        const kept = Math.min(1, Math.max(0, (turns - scaling.low) / (scaling.high - scaling.low)));
        return kept * frequency + ((1 - kept) * frequency) / scaling.factor;
      });
    default:
      return scaling satisfies never;
  }
}
