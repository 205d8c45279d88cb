/** Spaces from their text, for tests. */
import { expect } from 'bun:test';
import { check } from '../../dsl/index.ts';
import type { Program } from '../../dsl/program.ts';
import type { SpaceDefinition } from '../../dsl/space.ts';

export function programOf(text: string): Program {
  const { program, diagnostics } = check('main.mos', text, { overrides: { model: 'm' } });
  expect(diagnostics).toEqual([]);
  if (!program) throw new Error('no program');
  return program;
}

/** The definition of the first space that a text declares, which must take no argument to be used. */
export function definitionOf(text: string): SpaceDefinition {
  const name = /^space (\w+)/m.exec(text)?.[1] ?? '';
  const [definition] = programOf(`${text}\nadapter q_proj < experts: ${name} >`).spaces ?? [];
  if (!definition) throw new Error(`no space in ${text}`);
  return definition;
}
