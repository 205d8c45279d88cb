/** Evaluation protocols by the names that `mos eval --protocol` takes. */
import { BOXED } from './boxed.ts';
import { CHOICES } from './choices.ts';
import { LETTERS } from './letters.ts';
import { NUMBERS } from './numbers.ts';
import type { Protocol } from './protocol.ts';

export { PROMPTS, type Prompt, type PromptName, type Question } from './prompts.ts';
export { defaultRule, type Protocol, type Rule } from './protocol.ts';

export const PROTOCOLS = { ...NUMBERS, ...LETTERS, ...BOXED, ...CHOICES } satisfies Record<string, Protocol>;

export type ProtocolName = keyof typeof PROTOCOLS;
