/** What an evaluation protocol is made of. Where one comes from is in docs/evaluation.md. */

/** Takes the answer out of a model's text (trimmed); undefined if it gives none. */
export type Rule = (text: string) => string | undefined;

export interface Protocol {
  /** The dataset, and who published the procedure. */
  about: string;
  /** Items of the published test set. */
  items: number;
  /** Longest answer in tokens. */
  maxTokens: number;
  /** How the published numbers were decoded; ours are greedy. */
  decoding: string;
  /** By name; the first is the default. */
  rules: Record<string, Rule>;
  /** How an answer is compared with the reference, for people. */
  scoring: string;
  same(answer: string, gold: string): boolean;
  /** The reference out of the file's field; undefined if it cannot be one of this dataset. */
  gold(field: string): string | undefined;
  /** Stands after the question, whatever the prompt. */
  ask?: string;
}

export const defaultRule = ({ rules }: Protocol): string => Object.keys(rules)[0];
