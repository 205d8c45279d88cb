/** docs/diagnostics.md: a page per code, made from the catalogues. */
import { allPages, type Page, sentence } from './pages.ts';

const PHASES: { phase: Page['phase']; title: string; intro: string }[] = [
  {
    phase: 'language',
    title: 'In the text',
    intro: 'Found by `mos check` without a model. `mos explain CODE` prints the same page.',
  },
  {
    phase: 'compiler',
    title: 'With the model',
    intro:
      'Found when the program is fitted to its base model: by `mos check` where the model is at hand, else by `mos compile`.',
  },
  { phase: 'run', title: 'While it runs', intro: 'Met at the command line, in files, and on the GPU.' },
];

const fence = (text: string): string => {
  const lines = text.split('\n').map(line => (line.length > 110 ? `${line.slice(0, 109)}…` : line));
  const shown = lines.length > 10 ? [...lines.slice(0, 8), '…', ...lines.slice(-1)] : lines;
  // Invisible characters are the point of one page, and would do to this file what it warns of.
  const visible = shown
    .join('\n')
    .replace(
      /[\u202A-\u202E\u2066-\u2069\u200E\u200F\u061C]/g,
      sign => `<U+${sign.charCodeAt(0).toString(16).toUpperCase()}>`,
    );
  return `\`\`\`\n${visible}\n\`\`\``;
};

function section({ code, severity, about, help, wrong, right }: Page): string {
  return [
    `### ${code}`,
    `${severity === 'error' ? '' : `*${severity}.* `}${about}`,
    ...(help ? [sentence(help)] : []),
    ...(wrong === undefined ? [] : ['Wrong:', fence(wrong)]),
    ...(right === undefined ? [] : ['Right:', fence(right)]),
  ].join('\n\n');
}

export function diagnosticsPage(): string {
  const pages = allPages();
  const parts = PHASES.map(({ phase, title, intro }) =>
    [`## ${title}`, intro, ...pages.filter(page => page.phase === phase).map(section)].join('\n\n'),
  );
  return `${[
    '# Diagnostics',
    '<!-- Generated from the catalogues by `bun run generate:docs`. -->',
    'Every mistake mos reports has a code. A code keeps its meaning from version to version.',
    ...parts,
  ].join('\n\n')}\n`;
}
