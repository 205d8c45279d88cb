/** Everything mos can report, from the three catalogues: of the language, of the compiler, and of running. */
import { COMPILE_PROBLEMS } from '../../compiler/problems.ts';
import { catalogue, explain, suggest } from '../../dsl/index.ts';
import { FAULTS } from '../report/catalogue.ts';

export interface Page {
  code: string;
  /** Where it is met. */
  phase: 'language' | 'compiler' | 'run';
  severity: 'error' | 'warning' | 'note';
  about: string;
  help?: string;
  wrong?: string;
  right?: string;
}

const plain = (phase: Page['phase'], table: Record<string, { about: string; help: string }>): Page[] =>
  Object.entries(table).map(([code, entry]) => ({ code, phase, severity: 'error', ...entry }));

/** In the order of the catalogues. A code that several have is listed once, where it is met first. */
export function allPages(): Page[] {
  const language = Object.entries(catalogue).map(
    ([code, entry]): Page => ({ code, phase: 'language', ...entry }),
  );
  const all = [...language, ...plain('compiler', COMPILE_PROBLEMS), ...plain('run', FAULTS)];
  return [...new Map(all.toReversed().map(page => [page.code, page])).values()].toReversed();
}

/** The page about a code as plain text; undefined for a code there is none of. */
export function pageOf(code: string): string | undefined {
  const page = allPages().find(one => one.code === code);
  if (!page) return undefined;
  if (page.phase === 'language') return explain(code);
  return `${page.severity}[${code}]\n\n${page.about}\n\n${sentence(page.help ?? '')}\n`;
}

/** Codes spelt almost like this one. */
export const nearCodes = (code: string): string[] =>
  suggest(
    code,
    allPages().map(page => page.code),
  );

export const sentence = (help: string): string =>
  help === '' ? '' : `${help.charAt(0).toUpperCase()}${help.slice(1)}.`;
