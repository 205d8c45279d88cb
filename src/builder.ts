/** `import { adapter, … } from 'mos/builder'`: programs from typed functions, one for each word of the language. */
export * from './script/blocks.ts';
export * from './script/values.ts';
export type { Written } from './script/written.ts';
